/** The tokens: what each is for, how much of its life is gone, and when it will be renewed. */
import type { StatusDocument } from '../telemetry/status-schema.ts'
import { codeTag, explanation } from './failure.ts'
import { type Html, html } from './html.ts'
import { empty, section } from './table.ts'
import { clockTime, duration, relative } from './words.ts'

type Token = StatusDocument['tokens'][number]

/** A card for each token that is held or wanted. */
export function tokensSection({ tokens, generatedAt }: StatusDocument): Html {
  const content =
    tokens.length === 0
      ? empty('None: nobody has asked for one yet.')
      : html`<ul class="cards">
          ${tokens.map((token) => card(token, generatedAt))}
        </ul>`
  return section('tokens', 'Tokens', content)
}

function card(token: Token, now: string): Html {
  const { resource, identity, clientId, held, failure } = token
  const who = identity === clientId ? html`` : html`${identity}, `
  return html`<li class="card">
    <div class="row">
      <h3>${resource}</h3>
      ${failure === undefined ? html`<span class="tag ok">held</span>` : codeTag(failure)}
    </div>
    <p class="quiet small">as ${who}<span class="mono">${clientId}</span></p>
    ${held === undefined ? nothingHeld(token, now) : life(held, token.nextTryAt, now)}
    ${failure === undefined ? undefined : why(token, failure)}
  </li>`
}

function nothingHeld({ nextTryAt, failure }: Token, now: string): Html {
  if (failure === undefined) return html`<p class="small">being fetched</p>`
  const isPast = Date.parse(nextTryAt) <= Date.parse(now)
  const next = isPast ? 'when somebody asks' : relative(nextTryAt, now)
  return html`<p class="small">None is held; next try ${next}.</p>`
}

/** The life of a token as a bar: what is gone, what is left, and a mark where it will be renewed. */
function life(held: NonNullable<Token['held']>, nextTryAt: string, now: string): Html {
  const start = Date.parse(held.obtainedAt)
  const span = Math.max(1, Date.parse(held.expiresAt) - start)
  const percent = (instant: string) =>
    Math.round(Math.min(100, Math.max(0, ((Date.parse(instant) - start) / span) * 100)) * 10) / 10
  const gone = percent(now)
  const mark = Math.min(99.4, percent(nextTryAt))
  const age = duration(Date.parse(now) - start)
  const left = relative(held.expiresAt, now)
  const renewal = relative(nextTryAt, now)
  const label = `Obtained ${age} ago, renewed ${renewal}, expires ${left}`
  return html`<svg class="life" role="img" aria-label="${label}">
      <rect class="rest" width="100%" height="8" y="3" rx="4" />
      <rect class="past" width="${gone}%" height="8" y="3" rx="4" />
      <rect class="mark" x="${mark}%" width="3" height="14" rx="1.5" />
    </svg>
    <div class="row small">
      <span>${age} old</span><span>next renewal ${renewal}</span
      ><span title="${clockTime(held.expiresAt, now)}">expires ${left}</span>
    </div>`
}

function why({ consecutiveFailures }: Token, failure: NonNullable<Token['failure']>): Html {
  const times = consecutiveFailures === 1 ? 'once' : `${consecutiveFailures} times in a row`
  return html`<div class="why">
    <p class="quiet">Failed ${times}</p>
    ${explanation(failure)}
  </div>`
}
