/** The status page: the status document as one HTML page. */
import { formatWorkload, type StatusDocument } from '../telemetry/status-schema.ts'
import {
  capitalize,
  renderFacts,
  renderFolded,
  renderSection,
  renderTable,
  renderText,
  type Row,
} from './components.ts'
import { type Html, html } from './html.ts'
import { type ShownFailure, renderRowFailure, renderProblems } from './problems.ts'
import { type Page, renderShell } from './shell.ts'

const STATES: Readonly<Record<StatusDocument['state'], string>> = {
  starting: 'Not ready',
  ready: 'Ready',
  degraded: 'Ready, with problems',
  failing: 'Failing: no token',
}

interface PodOfNode {
  /** `NAMESPACE/NAME`, which a deleted pod may share with the one that replaces it. */
  readonly name: string
  readonly uid: string
}

/** Renders the page of a sidecar, or of a pod that the broker of its node answers. */
export function renderPage(status: StatusDocument, pod?: PodOfNode): Page {
  const { workload, generatedAt, state } = status
  return renderShell({
    name: formatWorkload(workload),
    generatedAt,
    state,
    title: STATES[state],
    content: html`${renderProblems(status, pod?.name)} ${renderWarnings(status)}
    ${renderSidecar(status)} ${renderLists(status)}`,
    query: pod === undefined ? '' : `?pod=${pod.uid}`,
  })
}

/** Renders the warnings about settings, identities file and clock; nothing if there is none. */
function renderWarnings({ warnings }: StatusDocument): Html {
  if (warnings.length === 0) return html``
  const items = warnings.map(
    (warning) => html`<p class="problem degraded">${renderText(capitalize(warning))}</p>`,
  )
  return renderSection('warnings', html`${items}`)
}

function renderSidecar(status: StatusDocument): Html {
  const { workload, build, startedAt, clockSkewSeconds, logLevel, allowsUnlistedClientIds } = status
  const { host } = workload
  const facts = { host, startedAt, clockSkewSeconds, logLevel, allowsUnlistedClientIds, ...build }
  return renderFolded('sidecar', renderFacts(facts, status.generatedAt))
}

type ListName =
  'tokens' | 'exchanges' | 'failedRequests' | 'clients' | 'assertions' | 'identities' | 'settings'

/** The members of the items of each list that are columns. */
const COLUMNS: {
  readonly [Name in ListName]: readonly (keyof StatusDocument[Name][number])[]
} = {
  tokens: ['resource', 'identity', 'cached', 'nextAttemptAt', 'consecutiveFailures', 'failure'],
  exchanges: ['at', 'count', 'identity', 'resource', 'durationMs', 'failure'],
  failedRequests: [
    'lastAt',
    'count',
    'client',
    'clientVersion',
    'protocol',
    'identity',
    'resource',
    'failure',
  ],
  clients: ['client', 'version', 'requests', 'lastSeenAt'],
  assertions: ['file', 'claims', 'failure'],
  identities: ['name', 'isDefault', 'clientId', 'tenantId', 'authorityHost', 'resources'],
  settings: ['name', 'value', 'source'],
}

const PAST = 'This is history: only problems decide the state above.'
/** Why a list shows failures though the state is Ready. */
const NOTES: Readonly<Record<string, string>> = { exchanges: PAST, failedRequests: PAST }

type ListRow = Row & { readonly failure?: ShownFailure | undefined }

/** Renders a table for each list. Requests reorder neither tokens nor clients, since the page may reload by itself. */
function renderLists(status: StatusDocument): readonly Html[] {
  const { tokens, exchanges, failedRequests, clients, assertions, identities, settings } = status
  const lists: Readonly<Record<string, readonly ListRow[]>> = {
    tokens: sortBy(tokens, (token) => [token.failure ? 0 : 1, token.resource, token.identity]),
    exchanges,
    failedRequests,
    clients: sortBy(clients, ({ client, version }) => [client, version]),
    assertions,
    identities: identities.map((each) => ({ ...each, resources: each.resources ?? 'any' })),
    settings,
  }
  return Object.entries(COLUMNS).map(([name, columns]) => {
    const rows = (lists[name] ?? []).map((row) => ({
      ...row,
      failure: row.failure && renderRowFailure(row.failure, status),
    }))
    const note = rows.some(({ failure }) => failure !== undefined) ? NOTES[name] : undefined
    return renderFolded(name, renderTable(columns, rows, status.generatedAt), rows.length, note)
  })
}

function sortBy<Item>(items: readonly Item[], keysOf: (item: Item) => readonly unknown[]): Item[] {
  return items.toSorted((a, b) => keysOf(a).join(' ').localeCompare(keysOf(b).join(' ')))
}
