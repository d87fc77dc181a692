/** The sections of the status page that can be closed, and the warnings. */
import { listCodes } from '../../lib/errors.ts'
import { firstItems } from '../../lib/printable.ts'
import type { StatusDocument } from '../telemetry/status-schema.ts'
import {
  capitalize,
  type Failure,
  formatRelative,
  renderCards,
  renderErrorCode,
  renderFacts,
  renderFix,
  renderIdentity,
  renderMessage,
  renderMono,
  renderSection,
  renderTable,
  renderText,
  renderTime,
} from './components.ts'
import { type Html, html } from './html.ts'
import { findProblemLink } from './problems.ts'

/** Renders the warnings about the settings and the identities file; nothing if there is none. */
export function renderWarnings({ warnings }: StatusDocument): Html {
  if (warnings.length === 0) return html``
  return renderSection({
    id: 'warnings',
    title: warnings.length === 1 ? 'Warning' : `Warnings (${warnings.length})`,
    content: html`<ul class="problems">
      ${warnings.map(
        (warning) =>
          html`<li class="card problem warning degraded">
            <p>${renderText(capitalize(warning))}</p>
          </li>`,
      )}
    </ul>`,
  })
}

/** Renders the latest exchanges; those with the same request and outcome are one row with a count. */
export function renderExchanges(status: StatusDocument): Html {
  const { exchanges, generatedAt, identities, problems } = status
  const [latest] = exchanges
  const all = countAll(exchanges)
  const failed = countAll(exchanges.filter(({ failure }) => failure !== undefined))
  const outcome = failed === 0 ? `${all}, none failed` : `${failed} of ${all} failed`
  return renderSection({
    id: 'exchanges',
    title: 'Latest exchanges',
    about:
      'In an exchange, the sidecar sends the projected token to Entra ID, which checks it and issues an access token.',
    fold: {
      summary: latest ? `${outcome}, ${formatLast(latest.at, generatedAt)}` : 'none yet',
      isOpen: failed > 0 && problems.length > 0,
    },
    content: renderTable(
      'Latest exchanges',
      [
        ['Last', ({ at }) => renderTime(at, generatedAt), 'short'],
        ['Times', ({ count }) => count, 'short'],
        ['Identity', ({ identity }) => renderIdentity(identity, status)],
        ['Resource', ({ resource }) => renderText(resource, 30)],
        [
          'Took',
          ({ durationMs, failure }) => (isUnasked(failure) ? '–' : `${durationMs} ms`),
          'short',
        ],
        [
          'Outcome',
          ({ identity, resource, failure }) => {
            if (failure === undefined) return html`<span class="tag ok">token</span>`
            const listed = identities.find(({ name }) => name === identity)
            const clientId = listed?.clientId ?? identity
            const link = findProblemLink(status, failure.code, { clientId, resource })
            const note = html` <span class="quiet">Entra ID was not asked</span>`
            return renderFailure(failure, link, isUnasked(failure) ? note : undefined)
          },
          'text',
        ],
      ],
      exchanges,
      'No exchange yet.',
    ),
  })
}

/** The faults of a projected token that the sidecar finds itself: it sends one that has expired. */
const FOUND_BY_SIDECAR: ReadonlySet<string> = new Set(
  listCodes('assertion').filter((code) => code !== 'assertion_expired'),
)

function isUnasked(failure: Failure | undefined): boolean {
  return failure !== undefined && FOUND_BY_SIDECAR.has(failure.code)
}

function countAll(rows: readonly { readonly count: number }[]): number {
  return rows.reduce((sum, { count }) => sum + count, 0)
}

function formatLast(at: string, now: string): string {
  return `the last ${formatRelative(at, now)}`
}

/** Renders the failed requests by kind. */
export function renderFailedRequests(status: StatusDocument): Html {
  const { failedRequests, generatedAt } = status
  const [latest] = failedRequests
  const findLink = ({ code }: Failure) => findProblemLink(status, code)
  return renderSection({
    id: 'failed-requests',
    title: 'Failed requests',
    about: 'Requests of applications that were answered with an error, since the start.',
    fold: {
      summary: latest
        ? `${countAll(failedRequests)}, ${formatLast(latest.lastAt, generatedAt)}`
        : 'none',
      isOpen: failedRequests.some(({ failure }) => findLink(failure) === undefined),
    },
    content: renderTable(
      'Failed requests',
      [
        ['Last', ({ lastAt }) => renderTime(lastAt, generatedAt), 'short'],
        ['Times', ({ count }) => count, 'short'],
        ['Client', ({ client, clientVersion }) => renderText(`${client} ${clientVersion}`)],
        ['Protocol', ({ protocol }) => protocol, 'short'],
        ['Error', ({ failure }) => renderFailure(failure, findLink(failure)), 'text'],
      ],
      failedRequests,
      'No failed request yet.',
    ),
  })
}

/** Renders a failure; one that is a problem of the sidecar is not explained again. */
function renderFailure(failure: Failure, link: string | undefined, note?: Html): Html {
  return link === undefined
    ? html`${renderErrorCode(failure, 'starting')}${note}${renderMessage(failure)}${renderFix(failure)}`
    : html`${renderErrorCode(failure, 'failing', link)}${note}`
}

/** Renders each client library and version, in a fixed order, and how it could do without the sidecar. */
export function renderClients({ clients, generatedAt }: StatusDocument): Html {
  return renderSection({
    id: 'clients',
    title: 'Clients',
    about: 'The client libraries that call, and what each needs to work without this sidecar.',
    fold: {
      summary: ['none yet', '1 library'][clients.length] ?? `${clients.length} libraries`,
      isOpen: false,
    },
    content: renderTable(
      'Clients',
      [
        ['Library', ({ title }) => renderText(title)],
        ['Version', ({ version }) => (version === '' ? '–' : version), 'short'],
        ['Requests', ({ requests }) => requests, 'short'],
        ['Last', ({ lastSeenAt }) => renderTime(lastSeenAt, generatedAt), 'short'],
        [
          'Migration',
          ({ supportsWorkloadIdentity, advice }) =>
            supportsWorkloadIdentity === true
              ? html`<span class="tag ok">supports workload identity</span> ${renderText(advice)}`
              : renderText(advice),
          'text',
        ],
      ],
      clients.toSorted((a, b) =>
        `${a.title} ${a.version}`.localeCompare(`${b.title} ${b.version}`),
      ),
      'No request yet.',
    ),
  })
}

/** Codes of faults for which the claims of the projected token are of use. */
const CONCERNS_ASSERTION = /^(?:assertion|federated_credential|issuer)_/

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
        ${
          claims &&
          renderFacts(
            [
              ['Issuer', renderMono(claims.issuer)],
              ['Subject', renderMono(claims.subject)],
              ['Audience', renderMono(claims.audience.join(', '))],
              ['Expires', renderTime(claims.expiresAt, generatedAt)],
            ],
            'small',
          )
        }
      </li>`,
  )
  return renderSection({
    id: 'assertions',
    title: 'Projected token',
    about:
      'The token of the service account, which the kubelet writes and rotates. It proves to Entra ID who this pod is.',
    fold: {
      summary: summarizeAssertions(status),
      isOpen: problems.some(({ failure }) => CONCERNS_ASSERTION.test(failure?.code ?? '')),
    },
    content: renderCards(cards, 'Not read yet.'),
  })
}

function summarizeAssertions({ assertions, generatedAt }: StatusDocument): string {
  const expiries = assertions.flatMap(({ claims }) => claims?.expiresAt ?? []).toSorted()
  if (expiries.length < assertions.length) return 'cannot be used'
  const [first] = expiries
  return first === undefined ? 'not read yet' : `expires ${formatRelative(first, generatedAt)}`
}

/** Renders a card for each identity, and whether requests may name others. */
export function renderIdentities({ identities, allowsUnlistedClientIds }: StatusDocument): Html {
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
  const names = firstItems(identities.map(({ name }) => name)).join(', ')
  return renderSection({
    id: 'identities',
    title: 'Identities',
    fold: { summary: names === '' ? 'none' : names, isOpen: false },
    content: html`${renderCards(cards, 'No identity is configured.')}
      <p class="quiet small note">
        Requests may
        ${allowsUnlistedClientIds ? 'name other client ids as well' : 'not name another client id'}.
      </p>`,
  })
}

/** Renders the settings. */
export function renderSettings({ settings }: StatusDocument): Html {
  return renderSection({
    id: 'settings',
    title: 'Settings',
    fold: { summary: `${settings.length} in force`, isOpen: false },
    content: renderTable(
      'Settings',
      [
        ['Setting', ({ name }) => renderMono(name), 'short'],
        ['Value', ({ value }) => renderMono(value), 'text'],
        ['Source', ({ source }) => source, 'short'],
      ],
      settings,
      'No setting.',
    ),
  })
}
