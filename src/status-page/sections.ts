/** The sections of the status page below the tokens: history, clients and configuration. */
import type { ErrorCode } from '../errors.ts'
import type { StatusDocument } from '../telemetry/status-schema.ts'
import {
  capitalize,
  renderText,
  renderErrorCode,
  renderEmpty,
  renderFacts,
  renderFailure,
  renderIdentity,
  renderMono,
  renderSection,
  renderTable,
  renderTableBox,
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
        cell: ({ durationMs, failure }) => (isUnasked(failure) ? '–' : `${durationMs} ms`),
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
          const note = isUnasked(failure) ? html` <span class="quiet">${UNASKED}</span>` : undefined
          if (link !== undefined) return html`${renderErrorCode(failure, 'failing', link)}${note}`
          return html`${renderErrorCode(failure, 'starting')}${note}${renderFailure(failure)}`
        },
      },
    ],
    groupExchanges(status.exchanges),
    'No exchange yet.',
  )
  return renderSection(
    'exchanges',
    title,
    rows,
    'In an exchange, the sidecar sends the projected token to Entra ID, which checks it and issues an access token.',
  )
}

type Exchange = StatusDocument['exchanges'][number]

const UNASKED = 'Entra ID was not asked'

/** The faults of a projected token that the sidecar finds itself, before it sends the token. */
const UNASKED_CODES: ReadonlySet<string> = new Set([
  'assertion_missing',
  'assertion_unreadable',
  'assertion_empty',
  'assertion_malformed',
  'assertion_audience',
] satisfies ErrorCode[])

function isUnasked(failure: Exchange['failure']): boolean {
  return failure !== undefined && UNASKED_CODES.has(failure.code)
}

/** Returns the latest exchange of each request and outcome, with the number of all of them. */
function groupExchanges(exchanges: readonly Exchange[]): Exchange[] {
  const groups = Map.groupBy(exchanges, ({ identity, resource, failure }) =>
    JSON.stringify([identity, resource, failure?.code]),
  )
  return [...groups.values()].flatMap(([latest, ...others]) => {
    if (latest === undefined) return []
    return { ...latest, count: others.reduce((sum, { count }) => sum + count, latest.count) }
  })
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
  return renderSection(
    'failed-requests',
    'Failed requests',
    rows,
    'Requests of applications that were answered with an error, since the start.',
  )
}

/** Renders each client library and version, in a fixed order, and how it could do without the sidecar. */
export function renderClients({ clients, generatedAt }: StatusDocument): Html {
  const rows = renderTableBox(
    'Clients',
    [
      { title: 'Library', cell: ({ title }) => renderText(title) },
      { title: 'Version', cell: ({ version }) => (version === '' ? '–' : version), width: 'short' },
      { title: 'Requests', cell: ({ requests }) => requests, width: 'short' },
      {
        title: 'Last',
        cell: ({ lastSeenAt }) => renderTime(lastSeenAt, generatedAt),
        width: 'short',
      },
      {
        title: 'Migration',
        width: 'text',
        cell: ({ supportsWorkloadIdentity, advice }) =>
          supportsWorkloadIdentity === true
            ? html`<span class="tag ok">supports workload identity</span> ${renderText(advice)}`
            : renderText(advice),
      },
    ],
    clients.toSorted((a, b) => `${a.title} ${a.version}`.localeCompare(`${b.title} ${b.version}`)),
    'No request yet.',
  )
  return renderSection(
    'clients',
    'Clients',
    rows,
    'The libraries that call, and how each could do without this sidecar.',
  )
}

/** Renders each projected token: its claims, or why it cannot be read. */
export function renderAssertions(status: StatusDocument): Html {
  const { assertions, generatedAt } = status
  const title = 'Projected token'
  if (assertions.length === 0)
    return renderSection('assertions', title, renderEmpty('Not read yet.'), ABOUT_ASSERTIONS)
  const cards = assertions.map(
    ({ file, claims, failure }) =>
      html`<li class="card">
        <h3 class="mono">${renderText(file)}</h3>
        ${
          failure &&
          html`<p>${renderErrorCode(failure, 'failing', findProblemLink(status, failure.code))}</p>`
        }
        ${claims && renderFacts(describeClaims(claims, generatedAt), 'small')}
      </li>`,
  )
  return renderSection(
    'assertions',
    title,
    html`<ul class="cards">
      ${cards}
    </ul>`,
    ABOUT_ASSERTIONS,
  )
}

const ABOUT_ASSERTIONS =
  'The token of the service account, which the kubelet writes and rotates. It proves to Entra ID who this pod is.'

type Claims = NonNullable<StatusDocument['assertions'][number]['claims']>

function describeClaims(
  { issuer, subject, audience, expiresAt }: Claims,
  now: string,
): readonly (readonly [string, Html])[] {
  return [
    ['Issuer', renderMono(issuer)],
    ['Subject', renderMono(subject)],
    ['Audience', renderMono(audience.join(', '))],
    ['Expires', renderTime(expiresAt, now)],
  ]
}

/** Renders a card for each identity, and whether requests may name others. */
export function renderIdentities({ identities, allowsUnlistedClientIds }: StatusDocument): Html {
  const note = allowsUnlistedClientIds
    ? 'Requests may name other client ids as well.'
    : 'Requests may not name another client id.'
  const cards = identities.map(
    ({ name, isDefault, clientId, tenantId, authorityHost, resources }) =>
      html`<li class="card">
        <div class="row">
          <h3>${renderText(name)}</h3>
          ${isDefault ? html`<span class="tag starting">default</span>` : undefined}
        </div>
        ${renderFacts(
          [
            ['Client id', renderMono(clientId)],
            ['Tenant', renderMono(tenantId)],
            ['Cloud', renderMono(authorityHost.replace('https://', ''))],
            ['Resources', renderMono(resources?.join(', ') ?? 'any')],
          ],
          'small',
        )}
      </li>`,
  )
  return renderSection(
    'identities',
    'Identities',
    html`${
        cards.length === 0
          ? renderEmpty('No identity is configured.')
          : html`<ul class="cards">
              ${cards}
            </ul>`
      }
      <p class="quiet small note">${note}</p>`,
  )
}

/** Renders the warnings about the settings and the identities file; nothing if there is none. */
export function renderWarnings({ warnings }: StatusDocument): Html {
  if (warnings.length === 0) return html``
  return renderSection(
    'warnings',
    warnings.length === 1 ? 'Warning' : `Warnings (${warnings.length})`,
    html`<ul class="problems">
      ${warnings.map(
        (warning) =>
          html`<li class="card problem warning degraded">
            ${renderFailure({ message: capitalize(warning) })}
          </li>`,
      )}
    </ul>`,
  )
}

/** Renders the settings, collapsed. */
export function renderSettings({ settings }: StatusDocument): Html {
  const rows = renderTable(
    'Settings',
    [
      { title: 'Setting', cell: ({ name }) => renderMono(name), width: 'short' },
      { title: 'Value', cell: ({ value }) => renderMono(value), width: 'text' },
      { title: 'Source', cell: ({ source }) => source, width: 'short' },
    ],
    settings,
  )
  return renderSection(
    'settings',
    'Settings',
    html`<details class="box">
      <summary>${settings.length} settings in force</summary>
      ${rows}
    </details>`,
  )
}
