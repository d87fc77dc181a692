/** The types that the token cache and the exchange share: tokens, and the requests for them. */
import type { Identity } from '../identities.ts'
import type { Secret } from '../../lib/secret.ts'
import type { Lifetime } from './lifetime.ts'

export interface TokenRequest {
  readonly identity: Identity
  /** The scope that Entra ID is asked for, such as `https://vault.azure.net/.default`. */
  readonly scope: string
  /** GUID under which Entra ID logs the exchange, if this request starts one. */
  readonly correlationId?: string | undefined
  /**
   * Set by the cache if no caller waits: for a prefetch, or while callers get the cached token or the cached failure. Such
   * an exchange makes one attempt, since the cache repeats it. Its POST does not queue behind the POSTs for callers.
   */
  readonly isBackground?: boolean
}

/** A caller's request to the token cache. */
export interface CacheRequest extends TokenRequest {
  /** Asks for a new token although one is cached (`bypass_cache`; Hadoop ABFS always sends it). */
  readonly bypassCache?: boolean | undefined
}

/** The kinds of answers of the cache; the label values of `wimds_token_cache_results_total`. */
export const CACHE_RESULTS = ['hit', 'miss', 'coalesced', 'negative_hit', 'bypass'] as const
export type CacheResult = (typeof CACHE_RESULTS)[number]

/** The ids of a token in Entra ID's sign-in logs. None of them is a credential. */
interface TokenAudit {
  /** Claim `uti`, the unique token identifier of the sign-in logs; undefined for a token that is not a JWT. */
  readonly uti: string | undefined
  /** Claim `oid`, the object id of the service principal. */
  readonly oid: string | undefined
  /** Issuer and subject of the assertion that the token was exchanged for. */
  readonly issuer: string
  readonly subject: string
}

export interface AccessToken {
  readonly secret: Secret
  readonly lifetime: Lifetime
  /** Entra's `refresh_in`: when to refresh it, in milliseconds after it was requested. */
  readonly refreshInMs?: number
  readonly audit?: TokenAudit
}

/**
 * One attempt of an exchange. Returns a token or throws a `BrokerError`. The signal aborts it. `onSent` is called each time a
 * POST is sent.
 */
export type Attempt = (
  request: TokenRequest,
  signal: AbortSignal,
  onSent: () => void,
) => Promise<AccessToken>

/**
 * Returns a token or throws a `BrokerError`. When the signal aborts, the caller no longer waits and gets its reason, but the
 * exchange goes on. `createSignal` is called only for a caller that waits: a signal for each request would cost a cached one 45
 * % more CPU.
 */
export type GetToken = (
  request: CacheRequest,
  createSignal?: () => AbortSignal,
) => Promise<AccessToken>
