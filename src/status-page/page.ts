/** The status page: a snapshot as one HTML document that needs nothing else. */
import type { StatusDocument } from '../telemetry/status-schema.ts'
import { clientsSection } from './clients.ts'
import { assertionsSection, identitiesSection, settingsSection } from './configured.ts'
import { exchangesSection, refusalsSection } from './events.ts'
import { Html, html } from './html.ts'
import { STYLE, STYLE_HASH } from './style.ts'
import { tokensSection } from './tokens.ts'
import { clockTime, duration } from './words.ts'

interface Page {
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

const STATES: Readonly<Record<StatusDocument['state'], string>> = {
  starting: 'Not ready yet',
  ready: 'Ready',
  degraded: 'Ready, with problems',
  refused: 'Ready, but Entra ID refuses',
}

/** The page of this document, with a policy that allows nothing but its own style. */
export function statusPage(status: StatusDocument): Page {
  const { workload, state, reasons } = status
  const name = nameOf(workload)
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
          <p class="brand">wimds, the sidecar of</p>
          <div class="top">
            <h1>${name}</h1>
            <span class="pill ${state}">${STATES[state]}</span>
          </div>
          ${reasonsOf(state, reasons)} ${facts(status)}
        </header>
        <main>
          ${tokensSection(status)} ${exchangesSection(status)} ${refusalsSection(status)}
          ${clientsSection(status)} ${assertionsSection(status)} ${identitiesSection(status)}
          ${settingsSection(status)}
        </main>
        <footer>
          <p>
            As of ${clockTime(status.generatedAt, '')}. <a href="/status">Reload</a>, or read it as
            <a href="/status.json">JSON</a>. The metrics are at <a href="/metrics">/metrics</a>. No
            token is ever shown here.
          </p>
        </footer>
      </body>
    </html> `
  return { headers: HEADERS, body: page.markup }
}

/** To the letter: the policy knows the style by its hash. */
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

function nameOf({ host, namespace, serviceAccount }: StatusDocument['workload']): string {
  return namespace === undefined ? host : `${namespace}/${serviceAccount ?? host}`
}

function reasonsOf(state: StatusDocument['state'], reasons: readonly string[]): Html {
  if (reasons.length === 0) return html``
  const items = reasons.map((reason) => html`<li>${reason}</li>`)
  return html`<div class="reasons ${state}">
    <strong>Why</strong>
    <ul>
      ${items}
    </ul>
  </div>`
}

function facts(status: StatusDocument): Html {
  const { workload, build, startedAt, generatedAt, clockSkewSeconds, logLevel } = status
  const items: readonly (readonly [string, string])[] = [
    ['Pod', workload.host],
    ['Running for', duration(Date.parse(generatedAt) - Date.parse(startedAt))],
    ['Clock against Entra ID', clockWords(clockSkewSeconds)],
    ['Log level', logLevel],
    ['Version', `${build.version} on Node ${build.node.replace(/^v/, '')}`],
  ]
  return html`<dl class="facts">
    ${items.map(
      ([term, value]) =>
        html`<div>
          <dt>${term}</dt>
          <dd>${value}</dd>
        </div>`,
    )}
  </dl>`
}

function clockWords(skew: number | undefined): string {
  if (skew === undefined) return 'not known yet'
  if (Math.abs(skew) < 1.5) return 'right'
  return `${Math.abs(skew)} s ${skew > 0 ? 'ahead' : 'behind'}`
}
