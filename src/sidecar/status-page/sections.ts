/** The sections of the status page below the history: clients, projected token and configuration. */
import type { StatusDocument } from '../telemetry/status-schema.ts'
import { firstItems } from '../../lib/printable.ts'
import {
  capitalize,
  formatRelative,
  renderText,
  renderErrorCode,
  renderEmpty,
  renderFacts,
  renderFold,
  renderMono,
  renderSection,
  renderTable,
  renderTableBox,
  renderTime,
} from './components.ts'
import { type Html, html } from './html.ts'
import { findProblemLink } from './problems.ts'

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
  return renderFold(
    {
      id: 'clients',
      title: 'Clients',
      summary:
        clients.length === 0
          ? 'none yet'
          : clients.length === 1
            ? '1 library'
            : `${clients.length} libraries`,
      isOpen: false,
      about: 'The client libraries that call, and what each needs to work without this sidecar.',
    },
    rows,
  )
}

/** Renders each projected token: its claims, or why it cannot be read. */
export function renderAssertions(status: StatusDocument): Html {
  const { assertions, generatedAt, problems } = status
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
  return renderFold(
    {
      id: 'assertions',
      title: 'Projected token',
      summary: summarizeAssertions(status),
      isOpen: problems.some(({ failure }) => CONCERNS_ASSERTION.test(failure?.code ?? '')),
      about:
        'The token of the service account, which the kubelet writes and rotates. It proves to Entra ID who this pod is.',
    },
    cards.length === 0
      ? renderEmpty('Not read yet.')
      : html`<ul class="cards">
          ${cards}
        </ul>`,
  )
}

/** Codes of faults for which the claims of the projected token are of use. */
const CONCERNS_ASSERTION = /^(?:assertion|federated_credential|issuer)_/

function summarizeAssertions({ assertions, generatedAt }: StatusDocument): string {
  if (assertions.length === 0) return 'not read yet'
  if (assertions.some(({ claims }) => claims === undefined)) return 'cannot be used'
  const expiries = assertions.flatMap(({ claims }) => claims?.expiresAt ?? []).toSorted()
  return `expires ${formatRelative(expiries[0] ?? generatedAt, generatedAt)}`
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
  return renderFold(
    {
      id: 'identities',
      title: 'Identities',
      summary:
        identities.length === 0
          ? 'none'
          : firstItems(identities.map(({ name }) => name)).join(', '),
      isOpen: false,
    },
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
            <p>${renderText(capitalize(warning))}</p>
          </li>`,
      )}
    </ul>`,
  )
}

/** Renders the settings. */
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
  return renderFold(
    { id: 'settings', title: 'Settings', summary: `${settings.length} in force`, isOpen: false },
    rows,
  )
}
