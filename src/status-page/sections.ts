/** The sections of the status page below the tokens: history, clients and configuration. */
import type { StatusDocument } from '../telemetry/status-schema.ts'
import {
  renderBreakable,
  renderErrorCode,
  renderEmpty,
  renderFacts,
  renderFailure,
  formatClock,
  formatRelative,
  renderMono,
  renderSection,
  renderTable,
  renderTableBox,
} from './components.ts'
import { type Html, html } from './html.ts'

/** Renders the latest exchanges; repeats are one row with a count. */
export function renderExchanges({ exchanges, generatedAt, tokens }: StatusDocument): Html {
  const shown = new Set(tokens.map(({ failure }) => failure?.code))
  const title = 'Latest exchanges with Entra ID'
  const rows = renderTableBox(
    title,
    [
      { title: 'When', cell: ({ at }) => formatClock(at, generatedAt), width: 'short' },
      { title: 'Times', cell: ({ count }) => count, width: 'short' },
      { title: 'Identity', cell: ({ identity }) => renderBreakable(identity) },
      { title: 'Resource', cell: ({ resource }) => renderBreakable(resource), width: 'name' },
      { title: 'Took', cell: ({ durationMs }) => `${durationMs} ms`, width: 'short' },
      {
        title: 'Outcome',
        width: 'text',
        cell: ({ failure, explanation }) => {
          if (failure === undefined) return html`<span class="tag ok">token</span>`
          if (shown.has(failure.code)) return html`${renderErrorCode(failure)} see the token above`
          return html`${renderErrorCode(failure)}${renderFailure(failure, explanation)}`
        },
      },
    ],
    exchanges,
    'No exchange yet.',
  )
  return renderSection('exchanges', title, rows)
}

/** Renders the failed requests by kind. A failure that a token above explains is not explained again. */
export function renderFailedRequests({
  failedRequests,
  tokens,
  generatedAt,
}: StatusDocument): Html {
  const shown = new Set(tokens.map(({ failure }) => failure?.code))
  const rows = renderTableBox(
    'Failed requests',
    [
      { title: 'Last', cell: ({ lastAt }) => formatRelative(lastAt, generatedAt), width: 'short' },
      { title: 'Times', cell: ({ count }) => count, width: 'short' },
      {
        title: 'Client',
        cell: ({ client, clientVersion }) => `${client} ${clientVersion}`,
        width: 'name',
      },
      { title: 'Protocol', cell: ({ protocol }) => protocol, width: 'short' },
      {
        title: 'Error',
        width: 'text',
        cell: ({ failure }) =>
          shown.has(failure.code)
            ? html`${renderErrorCode(failure)} see the token above`
            : html`${renderErrorCode(failure, 'starting')}${renderFailure(failure)}`,
      },
    ],
    failedRequests,
    'No failed request yet.',
  )
  return renderSection('failed-requests', 'Failed requests', rows)
}

/** Renders each client library and version, and how it could do without the sidecar. */
export function renderClients({ clients, generatedAt }: StatusDocument): Html {
  const rows = renderTableBox(
    'Clients',
    [
      { title: 'Library', cell: ({ title }) => renderBreakable(title), width: 'name' },
      { title: 'Version', cell: ({ version }) => (version === '' ? '–' : version), width: 'short' },
      { title: 'Requests', cell: ({ requests }) => requests, width: 'short' },
      {
        title: 'Last',
        cell: ({ lastSeenAt }) => formatRelative(lastSeenAt, generatedAt),
        width: 'short',
      },
      {
        title: 'Migration',
        width: 'text',
        cell: ({ supportsWorkloadIdentity, advice }) =>
          supportsWorkloadIdentity === true
            ? html`<span class="tag ok">supports workload identity</span> ${advice}`
            : advice,
      },
    ],
    clients,
    'No request yet.',
  )
  return renderSection('clients', 'Clients', rows)
}

/** Renders each projected token: its claims, or why it cannot be read. */
export function renderAssertions({ assertions, generatedAt }: StatusDocument): Html {
  const title = 'Projected token'
  if (assertions.length === 0)
    return renderSection('assertions', title, renderEmpty('Not read yet.'))
  const cards = assertions.map(
    ({ file, claims, failure }) =>
      html`<li class="card">
        <h3 class="mono">${file}</h3>
        ${
          failure &&
          html`<p>${renderErrorCode(failure)}</p>
            ${renderFailure(failure)}`
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
  )
}

type Claims = NonNullable<StatusDocument['assertions'][number]['claims']>

function describeClaims(
  { issuer, subject, audience, expiresAt }: Claims,
  now: string,
): readonly (readonly [string, Html])[] {
  return [
    ['Issuer', renderMono(issuer)],
    ['Subject', renderMono(subject)],
    ['Audience', renderMono(audience.join(', '))],
    ['Expires', renderMono(`${formatRelative(expiresAt, now)}, ${formatClock(expiresAt, now)}`)],
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
          <h3>${renderBreakable(name)}</h3>
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
    html`<ul class="cards">
        ${cards}
      </ul>
      <p class="quiet small">${note}</p>`,
  )
}

/** Renders the settings, collapsed, below the warnings about them. */
export function renderSettings({ settings, warnings }: StatusDocument): Html {
  const rows = renderTable(
    'Settings',
    [
      { title: 'Setting', cell: ({ name }) => renderMono(name), width: 'short' },
      { title: 'Value', cell: ({ value }) => renderMono(value), width: 'text' },
      { title: 'Source', cell: ({ source }) => source, width: 'short' },
    ],
    settings,
  )
  const notes = warnings.map(
    (warning) => html`<p class="small"><span class="tag degraded">warning</span> ${warning}</p>`,
  )
  return renderSection(
    'settings',
    'Settings',
    html`${notes}
      <details class="box">
        <summary>${settings.length} settings in force</summary>
        ${rows}
      </details>`,
  )
}
