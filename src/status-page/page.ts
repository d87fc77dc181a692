/** The status page: the status document as one HTML page without scripts or other assets. */
import type { StatusDocument } from '../telemetry/status-schema.ts'
import {
  renderBreakable,
  renderFacts,
  renderMono,
  formatClock,
  formatDuration,
} from './components.ts'
import { Html, html } from './html.ts'
import {
  renderAssertions,
  renderClients,
  renderExchanges,
  renderFailedRequests,
  renderIdentities,
  renderSettings,
} from './sections.ts'
import { STYLE, STYLE_HASH } from './style.ts'
import { renderTokens } from './tokens.ts'

interface Page {
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

const STATES: Readonly<Record<StatusDocument['state'], string>> = {
  starting: 'Not ready: starting',
  ready: 'Ready',
  degraded: 'Ready, with problems',
  failing: 'Not ready: no token',
}

/** Renders the page, with a Content-Security-Policy that allows its own style and nothing else. */
export function renderStatusPage(status: StatusDocument): Page {
  const { workload, state } = status
  const name = formatWorkload(workload)
  const page = html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>${STATES[state]} – ${name} – wimds</title>
        <link rel="icon" href="data:," />
        ${STYLE_ELEMENT}
      </head>
      <body>
        <a class="skip" href="#tokens">Skip to the tokens</a>
        <header>
          <p class="brand">wimds sidecar of</p>
          <div class="top">
            <h1>${renderBreakable(name)}</h1>
            <span class="pill ${state}">${STATES[state]}</span>
          </div>
          ${renderReasons(status)} ${renderFacts(describeSidecar(status))}
        </header>
        <main>
          ${renderTokens(status)} ${renderExchanges(status)} ${renderFailedRequests(status)}
          ${renderClients(status)} ${renderAssertions(status)} ${renderIdentities(status)}
          ${renderSettings(status)}
        </main>
        <footer>
          <p>
            As of ${formatClock(status.generatedAt, '')}. <a href="/status">Reload</a>, or read it
            as <a href="/status.json">JSON</a>. The metrics are at <a href="/metrics">/metrics</a>.
            No token is ever shown here.
          </p>
        </footer>
      </body>
    </html> `
  return { headers: HEADERS, body: page.markup }
}

/** Not through `html`: the policy has the hash of this exact text. */
const STYLE_ELEMENT = new Html(`<style>${STYLE}</style>`)

const HEADERS = {
  'Content-Type': 'text/html; charset=utf-8',
  'Content-Security-Policy': [
    "default-src 'none'",
    `style-src '${STYLE_HASH}'`,
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

function formatWorkload({ host, namespace, serviceAccount }: StatusDocument['workload']): string {
  return namespace === undefined ? host : `${namespace}/${serviceAccount ?? host}`
}

function renderReasons({ state, reasons, workload: { host, namespace } }: StatusDocument): Html {
  if (reasons.length === 0) return html``
  const inNamespace = namespace === undefined ? '' : ` -n ${namespace}`
  return html`<div class="reasons ${state}">
    <strong>Why</strong>
    <ul>
      ${reasons.map((reason) => html`<li>${renderBreakable(reason)}</li>`)}
    </ul>
    <p class="small">
      For a diagnosis with the commands that fix it:
      ${renderMono(`kubectl exec${inNamespace} ${host} -c wimds -- wimds doctor`)}
    </p>
  </div>`
}

function describeSidecar(status: StatusDocument): readonly (readonly [string, string])[] {
  const { workload, build, startedAt, generatedAt, clockSkewSeconds, logLevel } = status
  return [
    ['Pod', workload.host],
    ['Running for', formatDuration(Date.parse(generatedAt) - Date.parse(startedAt))],
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
