/** The status page: the status document as one HTML page that loads nothing else. */
import { createHash } from 'node:crypto'
import { formatWorkload, type StatusDocument } from '../telemetry/status-schema.ts'
import {
  capitalize,
  formatClock,
  renderFacts,
  renderSection,
  renderTable,
  renderText,
  type Row,
} from './components.ts'
import { Html, html } from './html.ts'
import { type FailedRow, renderFailure, renderProblems } from './problems.ts'
import { SCRIPT } from './refresh.ts'
import { STYLE } from './style.ts'

const STATES: Readonly<Record<StatusDocument['state'], string>> = {
  starting: 'Not ready',
  ready: 'Ready',
  degraded: 'Ready, with problems',
  failing: 'Failing: no token',
}

/** Renders the page. The script replaces its elements with `data-part`. */
export function renderPage(status: StatusDocument): {
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
} {
  const { build, workload, generatedAt, state } = status
  const name = formatWorkload(workload)
  const { markup } = html`<!doctype html>
    <html lang="en" data-version="${build.version}">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>${STATES[state]} &ndash; ${name} &ndash; wimds</title>
        <link rel="icon" href="data:," />
        ${STYLE_ELEMENT}
      </head>
      <body>
        <header>
          <h1>${renderText(name)}</h1>
          <div role="status" data-part="state">
            <span class="tag ${state}">${STATES[state]}</span>
          </div>
          <p>
            <span id="live">As of ${formatClock(generatedAt, generatedAt)}</span>
            <button type="button" id="pause" hidden>Pause</button>
            <noscript><a href="/status">Reload</a></noscript>
          </p>
        </header>
        <main data-part="main">
          ${renderProblems(status)} ${renderWarnings(status)} ${renderSidecar(status)}
          ${renderLists(status)}
        </main>
        <footer>
          <p>
            The same as <a href="/status.json">JSON</a>; <a href="/metrics">metrics</a>. No token is
            ever shown here.
          </p>
        </footer>
        ${SCRIPT_ELEMENT}
      </body>
    </html> `
  return { headers: HEADERS, body: markup }
}

function renderSidecar(status: StatusDocument): Html {
  const { workload, build, startedAt, generatedAt, clockSkewSeconds, ...rest } = status
  const { logLevel, allowsUnlistedClientIds } = rest
  const { host } = workload
  const facts = { host, startedAt, clockSkewSeconds, logLevel, allowsUnlistedClientIds, ...build }
  return renderSection('sidecar', renderFacts(facts, generatedAt))
}

/** Renders the warnings about the settings and the identities file; nothing if there is none. */
function renderWarnings({ warnings }: StatusDocument): Html {
  if (warnings.length === 0) return html``
  const items = warnings.map(
    (warning) => html`<p class="problem degraded">${renderText(capitalize(warning))}</p>`,
  )
  return renderSection('warnings', html`${items}`)
}

type ListName =
  'tokens' | 'exchanges' | 'failedRequests' | 'clients' | 'assertions' | 'identities' | 'settings'

/** The members of the items of each list that are columns. */
const COLUMNS: {
  readonly [Name in ListName]: readonly (keyof StatusDocument[Name][number])[]
} = {
  tokens: ['resource', 'identity', 'cached', 'nextAttemptAt', 'consecutiveFailures', 'failure'],
  exchanges: ['at', 'count', 'identity', 'resource', 'durationMs', 'failure'],
  failedRequests: ['lastAt', 'count', 'client', 'clientVersion', 'protocol', 'failure'],
  clients: ['title', 'version', 'requests', 'lastSeenAt', 'supportsWorkloadIdentity', 'advice'],
  assertions: ['file', 'claims', 'failure'],
  identities: ['name', 'isDefault', 'clientId', 'tenantId', 'authorityHost', 'resources'],
  settings: ['name', 'value', 'source'],
}

/** Renders a table for each list. A request moves no row, since the page refreshes by itself. */
function renderLists(status: StatusDocument): readonly Html[] {
  const { tokens, exchanges, failedRequests, clients, assertions, identities, settings } = status
  const tokenKey = ({ failure, resource, identity }: (typeof tokens)[number]) =>
    `${failure ? 0 : 1} ${resource} ${identity}`
  const clientKey = ({ title, version }: (typeof clients)[number]) => `${title} ${version}`
  return [
    renderList('tokens', sortBy(tokens, tokenKey), status),
    renderList('exchanges', exchanges, status),
    renderList('failedRequests', failedRequests, status),
    renderList('clients', sortBy(clients, clientKey), status),
    renderList('assertions', assertions, status),
    renderList(
      'identities',
      identities.map((identity) => ({ ...identity, resources: identity.resources ?? 'any' })),
      status,
    ),
    renderList('settings', settings, status),
  ]
}

function sortBy<Item>(items: readonly Item[], keyOf: (item: Item) => string): Item[] {
  return items.toSorted((a, b) => keyOf(a).localeCompare(keyOf(b)))
}

function renderList(
  name: ListName,
  items: readonly (Row & FailedRow)[],
  status: StatusDocument,
): Html {
  if (items.length === 0) return renderSection(name, html`<p class="quiet">None.</p>`)
  const rows = items.map((item) => ({ ...item, failure: renderFailure(item, status) }))
  return renderSection(name, renderTable(COLUMNS[name], rows, status.generatedAt))
}

// Not through `html`: the policy has the hashes of these exact texts.
const STYLE_ELEMENT = new Html(`<style>${STYLE}</style>`)
const SCRIPT_ELEMENT = new Html(`<script type="module">${SCRIPT}</script>`)

const hash = (text: string) => `sha256-${createHash('sha256').update(text).digest('base64')}`

/** The Content-Security-Policy allows the page's own style and script and nothing else. */
const HEADERS = {
  'Content-Type': 'text/html; charset=utf-8',
  'Content-Security-Policy': [
    "default-src 'none'",
    `style-src '${hash(STYLE)}'`,
    `script-src '${hash(SCRIPT)}'`,
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
