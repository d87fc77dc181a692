/** What the token cache knows of one key. */
import type { State } from './cache-state.ts'
import type { CacheRequest, TokenRequest } from './token.ts'

export interface Entry {
  readonly key: string
  /** What all requests of the key have in common. */
  request: TokenRequest
  state: State
  /** When a caller last asked for it, on the monotonic clock. */
  lastUsedAt: number
  /** Its token is refreshed whether or not callers ask for it. The store sets this. */
  isPrefetched: boolean
  /** The one timer: for the refresh, the retry or the expiry. */
  timer?: NodeJS.Timeout
}

/** Creates the entry of a key that nobody has asked for yet. */
export function createEntry(request: CacheRequest): Entry {
  return {
    key: request.key,
    request: toSharedRequest(request),
    state: { kind: 'empty' },
    lastUsedAt: -Infinity,
    isPrefetched: false,
  }
}

/** Returns what all requests of a key have in common. */
export function toSharedRequest({ identity, scope }: TokenRequest): TokenRequest {
  return { identity, scope }
}
