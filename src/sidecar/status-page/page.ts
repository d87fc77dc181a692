/** The status page: the status document as one HTML page that loads nothing else. */
import { formatWorkload, type StatusDocument } from '../telemetry/status-schema.ts'
import {
  capitalize,
  renderFacts,
  renderSection,
  renderTable,
  renderText,
  type Row,
} from './components.ts'
import { type Html, html } from './html.ts'
import { type FailedRow, renderFailure, renderProblems } from './problems.ts'
import { type Page, renderShell } from './shell.ts'

const STATES: Readonly<Record<StatusDocument['state'], string>> = {
  starting: 'Not ready',
  ready: 'Ready',
  degraded: 'Ready, with problems',
  failing: 'Failing: no token',
}

/** Renders the page; `query` is that of its address. */
export function renderPage(status: StatusDocument, query = ''): Page {
  const { workload, generatedAt, state } = status
  return renderShell({
    name: formatWorkload(workload),
    generatedAt,
    state,
    title: STATES[state],
    content: html`${renderProblems(status)} ${renderWarnings(status)} ${renderSidecar(status)}
    ${renderLists(status)}`,
    query,
  })
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
  clients: ['client', 'version', 'requests', 'lastSeenAt'],
  assertions: ['file', 'claims', 'failure'],
  identities: ['name', 'isDefault', 'clientId', 'tenantId', 'authorityHost', 'resources'],
  settings: ['name', 'value', 'source'],
}

/** Renders a table for each list. A request moves no row, since the page refreshes by itself. */
function renderLists(status: StatusDocument): readonly Html[] {
  const { tokens, exchanges, failedRequests, clients, assertions, identities, settings } = status
  const tokenKey = ({ failure, resource, identity }: (typeof tokens)[number]) =>
    `${failure ? 0 : 1} ${resource} ${identity}`
  const clientKey = ({ client, version }: (typeof clients)[number]) => `${client} ${version}`
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
