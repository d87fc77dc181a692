/** The tokens of the status page: what each is for, its age, and its next refresh. */
import type { StatusDocument } from '../telemetry/status-schema.ts'
import {
  formatDuration,
  formatRelative,
  renderCards,
  renderErrorCode,
  renderFacts,
  renderMono,
  renderNextAttempt,
  renderSection,
  renderText,
  renderTime,
} from './components.ts'
import { type Html, html } from './html.ts'
import { findProblemLink } from './problems.ts'

type Token = StatusDocument['tokens'][number]

/**
 * Renders a card for each token that is cached or was requested. The order is that of the resources, since a page that
 * renews itself must not move its cards at each request.
 */
export function renderTokens(status: StatusDocument): Html {
  const tokens = status.tokens.toSorted((a, b) => createSortKey(a).localeCompare(createSortKey(b)))
  return renderSection({
    id: 'tokens',
    title: 'Tokens',
    about:
      'Access tokens in memory, one for each resource and identity. The pale part of a bar has passed; the mark is the next refresh.',
    content: renderCards(
      tokens.map((token) => renderToken(token, status)),
      'No token is in memory.',
    ),
  })
}

/** Returns the key to sort by, with which failing tokens come first. */
function createSortKey({ resource, identity, failure }: Token): string {
  return `${failure === undefined ? 1 : 0} ${resource} ${identity}`
}

function renderToken(token: Token, status: StatusDocument): Html {
  const { resource, identity, clientId, cached, failure } = token
  const { generatedAt } = status
  const name = identity === clientId ? undefined : html`${renderText(identity)}, `
  return html`<li class="card">
    <div class="row">
      <h3>${renderText(resource)}</h3>
      ${renderState(token, status)}
    </div>
    <p class="quiet small">as ${name}${renderMono(clientId)}</p>
    ${cached ? renderLifetime(cached, token.nextAttemptAt, generatedAt) : renderMissingToken(token, generatedAt)}
    ${failure && renderFailures(token, generatedAt)}
  </li>`
}

function renderState(token: Token, status: StatusDocument): Html {
  const { cached, failure } = token
  if (failure === undefined) {
    return cached
      ? html`<span class="tag ok">cached</span>`
      : html`<span class="tag starting">requested</span>`
  }
  const link = findProblemLink(status, failure.code, token)
  return renderErrorCode(failure, cached ? 'degraded' : 'failing', link)
}

function renderFailures({ consecutiveFailures, cached, failingSince }: Token, now: string): Html {
  const times = consecutiveFailures === 1 ? 'once' : `${consecutiveFailures} times in a row`
  const since = failingSince && html`, first ${renderTime(failingSince, now)}`
  return html`<p class="small">${cached ? 'The refresh failed' : 'Failed'} ${times}${since}</p>`
}

function renderMissingToken({ nextAttemptAt, failure }: Token, now: string): Html {
  return failure
    ? html`<p class="small">
        No token cached; next attempt ${renderNextAttempt(nextAttemptAt, now)}
      </p>`
    : html`<p class="small">Exchange in progress.</p>`
}

/** Renders the lifetime of a token as a bar: the past, the rest, and a mark at the next refresh. */
function renderLifetime(
  { obtainedAt, expiresAt }: NonNullable<Token['cached']>,
  nextAttemptAt: string,
  now: string,
): Html {
  const start = Date.parse(obtainedAt)
  const span = Math.max(1, Date.parse(expiresAt) - start)
  const percent = (time: string) =>
    Math.round(Math.min(100, Math.max(0, ((Date.parse(time) - start) / span) * 100)) * 10) / 10
  const mark = Math.min(99.4, percent(nextAttemptAt))
  const age = formatDuration(Date.parse(now) - start)
  const expiry = formatRelative(expiresAt, now)
  const refresh = formatRelative(nextAttemptAt, now)
  return html`<svg
      class="life"
      role="img"
      aria-label="Obtained ${age} ago, refresh ${refresh}, expires ${expiry}"
    >
      <rect class="rest" width="100%" height="8" y="3" rx="4" />
      <rect class="past" width="${percent(now)}%" height="8" y="3" rx="4" />
      <rect class="mark" x="${mark}%" width="3" height="14" rx="1.5" />
    </svg>
    ${renderFacts(
      [
        ['Obtained', renderTime(obtainedAt, now)],
        ['Next refresh', renderNextAttempt(nextAttemptAt, now)],
        ['Expires', renderTime(expiresAt, now)],
      ],
      'small times',
    )}`
}
