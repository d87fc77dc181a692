/** The history on the status page: the latest exchanges and failed requests. */
import { listCodes } from '../../lib/errors.ts'
import type { StatusDocument } from '../telemetry/status-schema.ts'
import {
  formatRelative,
  renderErrorCode,
  renderFailure,
  renderFold,
  renderIdentity,
  renderTableBox,
  renderText,
  renderTime,
} from './components.ts'
import { type Html, html } from './html.ts'
import { findProblemLink } from './problems.ts'

/** Renders the latest exchanges; those with the same request and outcome are one row with a count. */
export function renderExchanges(status: StatusDocument): Html {
  const { generatedAt } = status
  const title = 'Latest exchanges'
  const rows = renderTableBox(
    title,
    [
      { title: 'Last', cell: ({ at }) => renderTime(at, generatedAt), width: 'short' },
      { title: 'Times', cell: ({ count }) => count, width: 'short' },
      { title: 'Identity', cell: ({ identity }) => renderIdentity(identity, status) },
      { title: 'Resource', cell: ({ resource }) => renderText(resource, 30) },
      {
        title: 'Took',
        cell: ({ durationMs, failure }) =>
          failedBeforeRequest(failure) ? '–' : `${durationMs} ms`,
        width: 'short',
      },
      {
        title: 'Outcome',
        width: 'text',
        cell: ({ identity, resource, failure }) => {
          if (failure === undefined) return html`<span class="tag ok">token</span>`
          const listed = status.identities.find(({ name }) => name === identity)
          const clientId = listed?.clientId ?? identity
          const link = findProblemLink(status, failure.code, { clientId, resource })
          const note = failedBeforeRequest(failure)
            ? html` <span class="quiet">${NOT_ASKED_NOTE}</span>`
            : undefined
          if (link !== undefined) return html`${renderErrorCode(failure, 'failing', link)}${note}`
          return html`${renderErrorCode(failure, 'starting')}${note}${renderFailure(failure)}`
        },
      },
    ],
    status.exchanges,
    'No exchange yet.',
  )
  const failed = countAll(status.exchanges.filter(({ failure }) => failure !== undefined))
  return renderFold(
    {
      id: 'exchanges',
      title,
      summary: summarizeExchanges(status, failed),
      isOpen: failed > 0 && status.problems.length > 0,
      about:
        'In an exchange, the sidecar sends the projected token to Entra ID, which checks it and issues an access token.',
    },
    rows,
  )
}

function summarizeExchanges({ exchanges, generatedAt }: StatusDocument, failed: number): string {
  const [latest] = exchanges
  if (latest === undefined) return 'none yet'
  const all = countAll(exchanges)
  const outcome = failed === 0 ? `${all}, none failed` : `${failed} of ${all} failed`
  return `${outcome}, the last ${formatRelative(latest.at, generatedAt)}`
}

function countAll(rows: readonly { readonly count: number }[]): number {
  return rows.reduce((sum, { count }) => sum + count, 0)
}

type Exchange = StatusDocument['exchanges'][number]

const NOT_ASKED_NOTE = 'Entra ID was not asked'

/** The faults of a projected token that the sidecar finds itself: it sends one that has expired. */
const FAILED_BEFORE_REQUEST: ReadonlySet<string> = new Set(
  listCodes('assertion').filter((code) => code !== 'assertion_expired'),
)

function failedBeforeRequest(failure: Exchange['failure']): boolean {
  return failure !== undefined && FAILED_BEFORE_REQUEST.has(failure.code)
}

/** Renders the failed requests by kind. A failure that is a problem of the sidecar is not explained again. */
export function renderFailedRequests(status: StatusDocument): Html {
  const rows = renderTableBox(
    'Failed requests',
    [
      {
        title: 'Last',
        cell: ({ lastAt }) => renderTime(lastAt, status.generatedAt),
        width: 'short',
      },
      { title: 'Times', cell: ({ count }) => count, width: 'short' },
      {
        title: 'Client',
        cell: ({ client, clientVersion }) => renderText(`${client} ${clientVersion}`),
      },
      { title: 'Protocol', cell: ({ protocol }) => protocol, width: 'short' },
      {
        title: 'Error',
        width: 'text',
        cell: ({ failure }) => {
          const link = findProblemLink(status, failure.code)
          if (link !== undefined) return renderErrorCode(failure, 'failing', link)
          return html`${renderErrorCode(failure, 'starting')}${renderFailure(failure)}`
        },
      },
    ],
    status.failedRequests,
    'No failed request yet.',
  )
  const [latest] = status.failedRequests
  return renderFold(
    {
      id: 'failed-requests',
      title: 'Failed requests',
      summary:
        latest === undefined
          ? 'none'
          : `${countAll(status.failedRequests)}, the last ${formatRelative(latest.lastAt, status.generatedAt)}`,
      isOpen: status.failedRequests.some(
        ({ failure }) => findProblemLink(status, failure.code) === undefined,
      ),
      about: 'Requests of applications that were answered with an error, since the start.',
    },
    rows,
  )
}
