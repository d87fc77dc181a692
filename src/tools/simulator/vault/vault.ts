/** The simulated Key Vault: it validates signature and claims of the access token. */
import { randomUUID } from 'node:crypto'
import { createLocalJWKSet, jwtVerify, type JWTPayload } from 'jose'
import { z } from 'zod'
import { errorMessage } from '../../../lib/describe-error.ts'
import { formatV1Issuer, formatV2Issuer } from '../entra/access-token.ts'
import { createJsonResponse, type Handler } from '../http/handler.ts'
import type { FetchText } from '../http/fetch-text.ts'

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
  readonly fetchText: FetchText
  readonly now: () => number
}

const KeySet = z.object({ keys: z.array(z.looseObject({ kty: z.string() })) })
const CLOCK_TOLERANCE_SECONDS = 300
/** The required audience; a trailing slash is ignored. */
const RESOURCE = 'https://vault.azure.net'

/** Creates the handler of `GET /secrets/{name}[/{version}]`, with the statuses of Key Vault's errors. */
export function createVault({
  secrets,
  tenantId,
  authorityHost,
  fetchText,
  now,
}: VaultOptions): Handler {
  const challenge = `Bearer authorization="${authorityHost}/${tenantId}", resource="${RESOURCE}"`
  const version = randomUUID().replaceAll('-', '')
  const createdAt = Math.floor(now() / 1000)

  const unauthorized = (message: string) =>
    createJsonResponse(
      401,
      { error: { code: 'Unauthorized', message } },
      { 'www-authenticate': challenge },
    )

  /** Returns the claims of a valid token, or the error text of an invalid one. */
  async function validateToken(token: string): Promise<JWTPayload | string> {
    const { status, text } = await fetchText(`${authorityHost}/${tenantId}/discovery/v2.0/keys`)
    if (status !== 200) throw new Error(`the key set of ${authorityHost} answered ${status}`)
    try {
      const { payload } = await jwtVerify(
        token,
        createLocalJWKSet(KeySet.parse(JSON.parse(text))),
        {
          algorithms: ['RS256'],
          issuer: [formatV1Issuer(tenantId), formatV2Issuer(authorityHost, tenantId)],
          audience: [RESOURCE, `${RESOURCE}/`],
          requiredClaims: ['exp'],
          currentDate: new Date(now()),
          clockTolerance: CLOCK_TOLERANCE_SECONDS,
        },
      )
      return payload
    } catch (error) {
      return `Error validating token: ${errorMessage(error)}`
    }
  }

  return async (request) => {
    const { origin, pathname } = new URL(request.url)
    const token = /^Bearer +(\S+)$/iu.exec(request.headers.get('authorization') ?? '')?.[1]
    if (token === undefined) {
      return unauthorized('AKV10000: Request is missing a Bearer or PoP token.')
    }
    const claims = await validateToken(token)
    if (typeof claims === 'string') return unauthorized(claims)

    const name = /^\/secrets\/([\w-]+)(?:\/\w*)?$/u.exec(pathname)?.[1]
    if (name === undefined || request.method !== 'GET') {
      return failure(404, 'NotFound', 'This vault only supports GET /secrets/{name}.')
    }
    const clientId = String(claims['appid'] ?? claims['azp'])
    const secret = secrets.get(name)
    if (secret && !secret.allowedClientIds.includes(clientId)) {
      return failure(
        403,
        'Forbidden',
        `The user, group or application 'appid=${clientId};oid=${String(claims['oid'])}' does not have secrets get permission on key vault '${new URL(origin).host}'.`,
        'AccessDenied',
      )
    }
    if (!secret) {
      return failure(
        404,
        'SecretNotFound',
        `A secret with (name/id) ${name} was not found in this key vault.`,
      )
    }
    const id = `${origin}/secrets/${name}/${version}`
    return createJsonResponse(200, createSecretBody(id, secret.value, createdAt))
  }
}

/** Creates the body of a secret. `createdAt` is in Unix time. */
function createSecretBody(id: string, value: string, createdAt: number) {
  const recovery = { recoveryLevel: 'Recoverable+Purgeable', recoverableDays: 90 }
  return {
    value,
    id,
    attributes: { enabled: true, created: createdAt, updated: createdAt, ...recovery },
  }
}

const failure = (status: number, code: string, message: string, inner?: string): Response =>
  createJsonResponse(status, {
    error: { code, message, ...(inner === undefined ? {} : { innererror: { code: inner } }) },
  })
