/** The simulated Key Vault: it validates signature and claims of the access token. */
import { randomUUID } from 'node:crypto'
import { createLocalJWKSet, jwtVerify, type JWTPayload } from 'jose'
import { type Dispatcher, fetch } from 'undici'
import { errorMessage } from '../../../lib/describe-error.ts'
import { formatV1Issuer, formatV2Issuer } from '../entra/access-token.ts'
import { createJsonResponse, type Handler } from '../http/handler.ts'

/** A secret and the applications that may read it. */
export interface VaultSecret {
  readonly value: string
  /** Client ids with the permission to read it. */
  readonly allowedClientIds: readonly string[]
}

interface VaultOptions {
  /** Read at each request. */
  readonly secrets: ReadonlyMap<string, VaultSecret>
  /** Tenant of accepted tokens. */
  readonly tenantId: string
  /** Origin of the login host with the signing keys. */
  readonly authorityHost: string
  /** Reaches the login host. */
  readonly dispatcher: Dispatcher
  readonly now: () => number
}

const CLOCK_TOLERANCE_SECONDS = 300
/** The required audience; a trailing slash is ignored. */
const RESOURCE = 'https://vault.azure.net'

/** Creates the handler of `GET /secrets/{name}[/{version}]`, with the statuses of Key Vault's errors. */
export function createVault(options: VaultOptions): Handler {
  const { secrets, tenantId, authorityHost, now } = options
  const challenge = `Bearer authorization="${authorityHost}/${tenantId}", resource="${RESOURCE}"`
  const version = randomUUID().replaceAll('-', '')
  const createdAt = Math.floor(now() / 1000)
  const unauthorized = (message: string) =>
    fail(401, 'Unauthorized', message, { 'www-authenticate': challenge })

  return async (request) => {
    const { origin, pathname } = new URL(request.url)
    const token = /^Bearer +(\S+)$/iu.exec(request.headers.get('authorization') ?? '')?.[1]
    if (token === undefined) {
      return unauthorized('AKV10000: Request is missing a Bearer or PoP token.')
    }
    const claims = await validateToken(token, options)
    if (typeof claims === 'string') return unauthorized(claims)

    const name = /^\/secrets\/([\w-]+)(?:\/\w*)?$/u.exec(pathname)?.[1]
    const secret = name === undefined ? undefined : secrets.get(name)
    if (name === undefined || secret === undefined) {
      const problem = `A secret with (name/id) ${name} was not found in this key vault.`
      return fail(404, 'SecretNotFound', problem)
    }
    const clientId = String(claims['appid'] ?? claims['azp'])
    if (!secret.allowedClientIds.includes(clientId)) {
      const caller = `'appid=${clientId};oid=${String(claims['oid'])}'`
      const problem = `The user, group or application ${caller} does not have secrets get permission on key vault '${new URL(origin).host}'.`
      return fail(403, 'Forbidden', problem)
    }
    return createJsonResponse(200, {
      value: secret.value,
      id: `${origin}/secrets/${name}/${version}`,
      attributes: { enabled: true, created: createdAt, updated: createdAt },
    })
  }
}

/** Returns the claims of a valid token, or the error text of an invalid one. */
async function validateToken(
  token: string,
  { tenantId, authorityHost, dispatcher, now }: VaultOptions,
): Promise<JWTPayload | string> {
  const url = `${authorityHost}/${tenantId}/discovery/v2.0/keys`
  const response = await fetch(url, { dispatcher })
  const keySet = await response.text()
  try {
    const { payload } = await jwtVerify(token, createLocalJWKSet(JSON.parse(keySet)), {
      algorithms: ['RS256'],
      issuer: [formatV1Issuer(tenantId), formatV2Issuer(authorityHost, tenantId)],
      audience: [RESOURCE, `${RESOURCE}/`],
      requiredClaims: ['exp'],
      currentDate: new Date(now()),
      clockTolerance: CLOCK_TOLERANCE_SECONDS,
    })
    return payload
  } catch (error) {
    return `Error validating token: ${errorMessage(error)}`
  }
}

function fail(status: number, code: string, message: string, headers = {}): Response {
  return createJsonResponse(status, { error: { code, message } }, headers)
}
