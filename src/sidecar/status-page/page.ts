/** The status page: the status document as one HTML page that loads nothing else. */
import type { TrafficSample } from '../telemetry/metrics.ts'
import { formatWorkload, type StatusDocument } from '../telemetry/status-schema.ts'
import {
  type Fact,
  formatClock,
  formatDuration,
  renderFacts,
  renderText,
  renderTime,
} from './components.ts'
import { Html, html } from './html.ts'
import { findFailingSince, renderProblems } from './problems.ts'
import { SCRIPT, SCRIPT_HASH } from './refresh.ts'
import {
  renderAssertions,
  renderClients,
  renderExchanges,
  renderFailedRequests,
  renderIdentities,
  renderSettings,
  renderWarnings,
} from './sections.ts'
import { STYLE, STYLE_HASH } from './style.ts'
import { renderTokens } from './tokens.ts'
import { renderTraffic } from './traffic.ts'

const STATES: Readonly<Record<StatusDocument['state'], { name: string; color: string }>> = {
  starting: { name: 'Not ready: starting', color: '#6b7280' },
  ready: { name: 'Ready', color: '#1d8a52' },
  degraded: { name: 'Ready, with problems', color: '#b97700' },
  failing: { name: 'Failing: no token', color: '#c9362c' },
}

/** Renders the page. */
export function renderPage(
  status: StatusDocument,
  traffic: TrafficSample,
): { readonly headers: Readonly<Record<string, string>>; readonly body: string } {
  return { headers: HEADERS, body: renderDocument(status, traffic).markup }
}

/** Renders the HTML document. The script replaces its elements with `data-part`. */
function renderDocument(status: StatusDocument, traffic: TrafficSample): Html {
  const { build, workload, generatedAt } = status
  const name = formatWorkload(workload)
  const state = describeState(status)
  const pill = html`<span class="pill ${state.tone}">${state.name}</span>`
  const asOf = formatClock(generatedAt, generatedAt)
  return html`<!doctype html>
    <html lang="en" data-version="${build.version}">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>${state.name} &ndash; ${name} &ndash; wimds</title>
        <link rel="icon" href="${createIcon(STATES[state.tone].color)}" />
        ${STYLE_ELEMENT}
      </head>
      <body>
        <a class="skip" href="#tokens">Skip to the tokens</a>
        <header>
          <div class="top">
            <div>
              <p class="brand"><strong>wimds</strong> sidecar of</p>
              <h1>${renderText(name)}</h1>
            </div>
            <div class="state">
              <div role="status">${renderPart('state', pill)}</div>
              <p class="live">
                <span id="live">As of ${asOf}</span>
                <button type="button" id="pause" hidden>Pause</button>
                <noscript><a href="/status">Reload</a></noscript>
              </p>
            </div>
          </div>
          ${renderPart('facts', renderFacts(describeSidecar(status)))}
        </header>
        <main>
          ${renderPart('problems', renderProblems(status))}
          ${renderPart('warnings', renderWarnings(status))}
          ${renderPart('traffic', renderTraffic(traffic))}
          ${renderPart('tokens', renderTokens(status))}
          ${renderPart('exchanges', renderExchanges(status))}
          ${renderPart('failed-requests', renderFailedRequests(status))}
          ${renderPart('clients', renderClients(status))}
          ${renderPart('assertions', renderAssertions(status))}
          ${renderPart('identities', renderIdentities(status))}
          ${renderPart('settings', renderSettings(status))}
        </main>
        <footer>
          ${renderPart('as-of', html`<p>As of ${generatedAt.slice(0, 10)} <span id="as-of">${asOf}</span>.</p>`)}
          <p>
            <a href="/status">Reload</a>, or read it as <a href="/status.json">JSON</a>. The metrics
            are at <a href="/metrics">/metrics</a>. No token is ever shown here.
          </p>
        </footer>
        ${SCRIPT_ELEMENT}
      </body>
    </html> `
}

/** Renders a part of the page that the script replaces when it changes. */
function renderPart(name: string, content: Html): Html {
  return html`<div data-part="${name}">${content}</div>`
}

function describeState(status: StatusDocument): {
  readonly tone: StatusDocument['state']
  readonly name: string
} {
  const { state, warnings, problems, tokens } = status
  if (state === 'starting' && problems.some(({ failure }) => failure !== undefined)) {
    return { tone: 'failing', name: 'Not ready: no valid projected token' }
  }
  if (state === 'ready' && warnings.length > 0) {
    return { tone: 'degraded', name: 'Ready, with warnings' }
  }
  // Nothing fails, because no exchange has been attempted.
  if (state === 'ready' && tokens.length === 0) {
    return { tone: 'starting', name: 'Ready, no token yet' }
  }
  return { tone: state, name: STATES[state].name }
}

/** Returns a disc in the color of the state, for the browser's tab. */
function createIcon(color: string): string {
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><circle cx="8" cy="8" r="6" fill="${color}"/></svg>`
  return `data:image/svg+xml,${encodeURIComponent(svg)}`
}

// Not through `html`: the policy has the hashes of these exact texts.
const STYLE_ELEMENT = new Html(`<style>${STYLE}</style>`)
const SCRIPT_ELEMENT = new Html(`<script type="module">${SCRIPT}</script>`)

/** The Content-Security-Policy allows the page's own style and script and nothing else. */
const HEADERS = {
  'Content-Type': 'text/html; charset=utf-8',
  'Content-Security-Policy': [
    "default-src 'none'",
    `style-src '${STYLE_HASH}'`,
    `script-src '${SCRIPT_HASH}'`,
    "connect-src 'self'",
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; '),
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
}

function describeSidecar(status: StatusDocument): readonly Fact[] {
  const { workload, build, startedAt, generatedAt, clockSkewSeconds, logLevel } = status
  const failingSince = findFailingSince(status)
  return [
    [
      describeState(status).tone === 'failing' ? 'Failing since' : 'Some requests fail since',
      failingSince && renderTime(failingSince, generatedAt),
    ],
    [workload.inPod ? 'Pod' : 'Host', workload.host],
    [
      'Running for',
      html`${formatDuration(Date.parse(generatedAt) - Date.parse(startedAt))}
        <span class="clock">since ${formatClock(startedAt, generatedAt)}</span>`,
    ],
    ['Clock skew', formatSkew(clockSkewSeconds)],
    ['Log level', logLevel],
    ['Version', `${build.version} on Node ${build.node.replace(/^v/, '')}`],
  ]
}

function formatSkew(seconds: number | undefined): string {
  if (seconds === undefined) return 'not known yet'
  if (Math.abs(seconds) < 1.5) return 'OK'
  return `${Math.abs(seconds)} s ${seconds > 0 ? 'ahead of' : 'behind'} Entra ID`
}
