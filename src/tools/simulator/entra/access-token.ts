/** The lifetimes of access tokens, and their claims, of version 1 or 2. */
import { randomBytes, randomInt, randomUUID } from 'node:crypto'
import type { JWTPayload } from 'jose'
import type { Application, Resource } from './directory.ts'
import type { TokenRequest } from './token-request.ts'

interface Grant extends Pick<TokenRequest, 'tenant' | 'application'> {
  readonly resource: Resource
  /** The requested resource identifier, without `/.default`; a trailing slash is kept. */
  readonly identifier: string
  /** Origin of the login host: the issuer of version 2 tokens. */
  readonly origin: string
  /** Entra's clock, epoch milliseconds. */
  readonly now: number
  readonly expiresInSeconds: number
}

/** `iat` and `nbf` are this far in the past, as in recorded tokens. */
const BACKDATED_SECONDS = 300

/** Returns the issuer of version 1 tokens, the same for every login host of the public cloud. */
export const formatV1Issuer = (tenantId: string): string => `https://sts.windows.net/${tenantId}/`
/** Returns the issuer of version 2 tokens, which contains the login host. */
export const formatV2Issuer = (origin: string, tenantId: string): string =>
  `${origin}/${tenantId}/v2.0`

/** Creates the claims of an app-only access token. The resource determines their version. */
export function createAccessTokenClaims(grant: Grant): JWTPayload {
  const { tenant, application, resource, identifier, origin } = grant
  const isV2 = resource.tokenVersion === 2
  const now = Math.floor(grant.now / 1000)
  const issuer = isV2 ? formatV2Issuer(origin, tenant.id) : formatV1Issuer(tenant.id)
  const objectId = application.objectId ?? application.clientId
  return {
    aud: isV2 ? resource.appId : identifier,
    iss: issuer,
    iat: now - BACKDATED_SECONDS,
    nbf: now - BACKDATED_SECONDS,
    exp: now + grant.expiresInSeconds,
    aio: randomUUID(),
    ...(isV2
      ? { azp: application.clientId, azpacr: '2' }
      : { appid: application.clientId, appidacr: '2', idp: issuer, idtyp: 'app' }),
    oid: objectId,
    rh: '0.AAAA.',
    sub: objectId,
    tid: tenant.id,
    uti: randomBytes(16).toString('base64url'),
    xms_mirid: application.resourceId,
    ver: isV2 ? '2.0' : '1.0',
  }
}

/**
 * Selects the lifetime of a token: about a day, with `refresh_in` at half of it, for a managed identity; a random
 * 60 to 90 minutes for an application.
 */
export function selectLifetime({ kind }: Application) {
  return kind === 'managed-identity'
    ? { expiresInSeconds: 86_399, refreshInSeconds: 43_199 }
    : { expiresInSeconds: 3_599 + randomInt(1_801) }
}
