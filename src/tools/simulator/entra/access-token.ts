/** Creates access tokens with the claims of version 1 or 2, and the token response. */
import { randomBytes, randomInt, randomUUID } from 'node:crypto'
import type { Application, Resource, Tenant } from './directory.ts'

export interface Grant {
  readonly tenant: Tenant
  readonly application: Application
  readonly resource: Resource
  /** The requested resource identifier, without `/.default`; a trailing slash is kept. */
  readonly identifier: string
  /** Origin of the login host: the issuer of version 2 tokens. */
  readonly origin: string
  /** Entra's clock, epoch milliseconds. */
  readonly now: number
  readonly expiresInSeconds: number
  readonly isCaeCapable: boolean
}

/** `iat` and `nbf` are this far in the past, as in recorded tokens. */
const BACKDATED_SECONDS = 300

/** Returns the issuer of version 1 tokens, the same for every login host of the public cloud. */
export const formatV1Issuer = (tenantId: string): string => `https://sts.windows.net/${tenantId}/`
/** Returns the issuer of version 2 tokens, which contains the login host. */
export const formatV2Issuer = (origin: string, tenantId: string): string =>
  `${origin}/${tenantId}/v2.0`

/** Creates the claims of an app-only access token. The resource determines their version. */
export function createAccessTokenClaims(grant: Grant): Readonly<Record<string, unknown>> {
  const { tenant, application, resource, identifier, origin, expiresInSeconds } = grant
  const now = Math.floor(grant.now / 1000)
  const objectId = application.objectId ?? application.clientId
  const times = {
    iat: now - BACKDATED_SECONDS,
    nbf: now - BACKDATED_SECONDS,
    exp: now + expiresInSeconds,
  }
  const common = {
    oid: objectId,
    rh: '0.AAAA.',
    sub: objectId,
    tid: tenant.id,
    uti: randomBytes(16).toString('base64url'),
    ...(grant.isCaeCapable ? { xms_cc: ['cp1'] } : {}),
    ...(application.resourceId === undefined ? {} : { xms_mirid: application.resourceId }),
  }
  if (resource.tokenVersion === 2) {
    return {
      aud: resource.appId,
      iss: formatV2Issuer(origin, tenant.id),
      ...times,
      aio: randomUUID(),
      azp: application.clientId,
      azpacr: '2',
      ...common,
      ver: '2.0',
    }
  }
  return {
    aud: identifier,
    iss: formatV1Issuer(tenant.id),
    ...times,
    aio: randomUUID(),
    appid: application.clientId,
    appidacr: '2',
    idp: formatV1Issuer(tenant.id),
    idtyp: 'app',
    ...common,
    ver: '1.0',
  }
}

interface Lifetime {
  readonly expiresInSeconds: number
  readonly refreshInSeconds: number | undefined
}

/**
 * Selects the lifetime of a token: about a day, with `refresh_in` at half of it, for a managed identity and
 * for an application whose client can handle claims challenges; for others a random 60 to 90 minutes.
 */
export function selectLifetime({ kind }: Application, isCaeCapable: boolean): Lifetime {
  return kind === 'managed-identity' || isCaeCapable
    ? { expiresInSeconds: 86_399, refreshInSeconds: 43_199 }
    : { expiresInSeconds: 3_599 + randomInt(1_801), refreshInSeconds: undefined }
}

/** Creates the JSON of a success. */
export function createTokenResponseBody(
  accessToken: string,
  { expiresInSeconds, refreshInSeconds }: Lifetime,
): Readonly<Record<string, unknown>> {
  return {
    token_type: 'Bearer',
    expires_in: expiresInSeconds,
    ext_expires_in: expiresInSeconds,
    ...(refreshInSeconds === undefined ? {} : { refresh_in: refreshInSeconds }),
    access_token: accessToken,
  }
}
