/** The status page: the status document as one HTML page. Each fault is shown once, with its tokens and its fix. */
import { formatWorkload } from '../telemetry/describe.ts'
import type { StatusDocument } from '../telemetry/status-schema.ts'
import { html, type Html } from './html.ts'
import {
  capitalize,
  renderFacts,
  renderFolded,
  renderSection,
  renderTable,
  renderText,
  type Row,
} from './components.ts'
import { type Page, renderShell } from './shell.ts'
import { removeTraceIds } from '../../lib/describe-error.ts'
import { docsPage, IS_RELEASED } from '../../lib/version.ts'
import { findAadstsPage } from '../aadsts.ts'

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

/** The columns of each list, which are members of its items. */
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

type Problem = StatusDocument['problems'][number]
type ShownFailure = NonNullable<Problem['failure']>

/** Renders each problem, and the command for a diagnosis; nothing if there is no problem. */
export function renderProblems(status: StatusDocument, pod?: string): Html {
  const { problems } = status
  if (problems.length === 0) return html``
  const cards = problems.map((problem) => renderProblem(problem, status))
  return renderSection('problems', html`${cards} ${renderDiagnosis(status, pod)}`)
}

function renderProblem(problem: Problem, status: StatusDocument): Html {
  const { summary, failure, explanation, ...facts } = problem
  const { code: _code, message: _message, fix: _fix, aadsts, ...ids } = failure ?? {}
  return html`<div class="problem ${findTone(problem, status)}">
    <h3>${renderText(capitalize(summary))}</h3>
    ${explanation && html`<p>${renderText(capitalize(explanation))}.</p>`}
    ${failure && renderFailure(failure, summary)}
    ${renderFacts({ ...facts, aadsts: renderAadsts(aadsts), ...ids }, status.generatedAt)}
  </div>`
}

/** Returns how urgent a problem is: less while all its tokens are still cached, or while a sidecar starts. */
function findTone({ failure, servedUntil, withoutToken }: Problem, { state }: StatusDocument) {
  if (state === 'starting' && failure === undefined) return 'starting'
  return servedUntil === undefined || withoutToken !== undefined ? 'failing' : 'degraded'
}

/** Renders the failure of a row: only its code if a problem above has its fix. */
function renderRowFailure(failure: ShownFailure, { problems }: StatusDocument): Html {
  const { code, fix } = failure
  const isExplained = problems.some(({ failure: of }) => of?.code === code && of.fix === fix)
  return isExplained ? renderCode(code) : renderFailure(failure)
}

/** Renders the code, the message unless it is the summary, and the fix. Leaves out Entra ID's ids at the message's end. */
function renderFailure({ code, message, fix }: ShownFailure, summary?: string): Html {
  return html`${renderCode(code)}
  ${message !== summary && html`<p>${renderText(removeTraceIds(message))}</p>`}
  ${fix && html`<p><strong>Fix:</strong> ${renderText(fix)}.</p>`}`
}

function renderCode(code: string): Html {
  return renderLink(docsPage('troubleshooting', code), renderText(code), 'tag failing')
}

/** Renders an AADSTS number, as a link to its section if there is one. */
function renderAadsts(aadsts: number | undefined): Html | number | undefined {
  const page = findAadstsPage(aadsts)
  return aadsts === undefined || page === undefined ? aadsts : renderLink(page, aadsts)
}

/** Renders a link to a page of the documentation. Before a release the page is a file of the checkout, so only a title names it. */
function renderLink(page: string, text: Html | number, kind = ''): Html {
  return IS_RELEASED
    ? html`<a class="${kind}" href="${page}">${text}</a>`
    : html`<span class="${kind}" title="${page}">${text}</span>`
}

/** Renders the next step, `wimds doctor`. The command names `pod`, which has no sidecar to run it in. */
function renderDiagnosis({ workload }: StatusDocument, pod: string | undefined): Html {
  const { inPod, namespace = 'NAMESPACE', host } = workload
  const exec = inPod ? `kubectl exec -n ${namespace} ${host} -c wimds -- ` : ''
  const command = pod === undefined ? `${exec}wimds doctor` : `wimds doctor ${pod}`
  return html`<p>
    Next, run
    <code>${renderText(command)}</code>${!inPod && ' with the environment of this sidecar'}. It
    prints the commands for a missing federated credential.
  </p>`
}
