/** The words that the broker's parts share: what is asked for, what is held, who gives it. */
import type { Identity } from '../identities.ts'
import type { Secret } from '../secret.ts'

/** A wish for an access token. */
export interface TokenRequest {
  readonly identity: Identity
  /** What Entra ID is asked for, such as `https://vault.azure.net/.default`. */
  readonly scope: string
  /** A claims challenge, passed on to Entra ID as it came. */
  readonly claims?: string
  /** Wants a new token although one is held (`bypass_cache`, sent by Hadoop ABFS each time). */
  readonly bypassCache?: boolean
  /** To be renewed whether callers come or not: one of the resources to prefetch. */
  readonly keepWarm?: boolean
  /** Hex SHA-256 of a token that a resource refused; wants a new one if that is the one held. */
  readonly refusedTokenSha256?: string
  /** GUID under which Entra ID logs the exchange that this request starts, if it starts one. */
  readonly correlationId?: string
}

/** What identifies a token in Entra ID's sign-in logs. It contains no part of the token that is a credential. */
export interface TokenAudit {
  /** Claim `uti`, the unique token identifier of the sign-in logs; absent for a token that is not a JWT. */
  readonly uti?: string
  /** Claim `oid`, the object id of the service principal. */
  readonly oid?: string
  /** Issuer and subject of the assertion that the token was exchanged for. */
  readonly issuer: string
  readonly subject: string
}

/** An access token and the instants of its life. */
export interface AccessToken {
  readonly secret: Secret
  /** When it was asked for, epoch milliseconds. */
  readonly obtainedAt: number
  /** Epoch milliseconds by the local wall clock. */
  readonly expiresAt: number
  /** The same instant on the monotonic clock, which no clock change moves. */
  readonly expiresAtMonotonic: number
  /** Life that Entra ID gave it when it was issued, in milliseconds. */
  readonly lifetimeMs: number
  /** How long after it was obtained Entra ID wants it renewed, in milliseconds. */
  readonly refreshInMs?: number
  readonly audit?: TokenAudit
}

/**
 * Gives a token or throws a `BrokerError`. The parts of the broker below the cache are such functions,
 * stacked. The signal ends the work itself.
 */
export type TokenSource = (request: TokenRequest, signal?: AbortSignal) => Promise<AccessToken>

/**
 * What answers callers. `hasGone` says whether the caller is there no more to hear the answer; what was
 * begun for it goes on, since others may wait for the same.
 */
export type CallerTokens = (request: TokenRequest, hasGone?: () => boolean) => Promise<AccessToken>

/**
 * What one token is held under: everything that decides what Entra ID answers, each part's end
 * unmistakable, so that no two requests for different tokens share a key.
 */
export function cacheKey(request: TokenRequest): string {
  const known = keys.get(request)
  if (known !== undefined) return known
  const { identity, scope, claims } = request
  const { authorityHost, tenantId, clientId, tokenFile } = identity
  const key = JSON.stringify([authorityHost, tenantId, clientId, tokenFile, scope, claims ?? ''])
  keys.set(request, key)
  return key
}

/** A request that comes again brings its key, whose hash JavaScript has computed by then. */
const keys = new WeakMap<TokenRequest, string>()

/**
 * The scope of a resource as an IMDS caller names it. A trailing slash is part of the audience and
 * stays, so `https://management.azure.com/` becomes `https://management.azure.com//.default`
 * (E2); a caller that already says `/.default` is taken at its word (R10).
 */
export function scopeOf(resource: string): string {
  return resource.endsWith('/.default') ? resource : `${resource}/.default`
}

/** The resource of a scope, as callers name it. */
export function resourceIn(scope: string): string {
  return scope.replace(/\/\.default$/, '')
}
