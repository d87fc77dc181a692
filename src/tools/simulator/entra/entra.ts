/** The simulated Microsoft Entra ID: a token endpoint that validates signatures and claims. */
import { randomUUID } from 'node:crypto'
import type { Dispatcher } from 'undici'
import type { Effects } from '../faults/faults.ts'
import { createJsonResponse } from '../http/handler.ts'
import { createAccessTokenClaims, selectLifetime } from './access-token.ts'
import { findResource, type Directory, type Resource, type Tenant } from './directory.ts'
import { createErrorResponse, EntraError, createTokenHeaders } from './entra-error.ts'
import { fetchKeys, type IssuerRoute } from './issuer-keys.ts'
import { answerMetadataRequest } from './metadata.ts'
import { parseTokenRequest, parseTokenRoute, readForm, type TokenRequest } from './token-request.ts'
import { validateAssertion } from './validate-assertion.ts'
import { createSigningKey } from '../signing-key.ts'

export interface EntraOptions {
  /** Read at each request, so that changes apply at once. */
  readonly directory: Directory
  /** Reaches the issuers of the simulator. */
  readonly dispatcher: Dispatcher
  /** Issuers with other routes, by their exact `iss`. */
  readonly externalIssuers?: ReadonlyMap<string, IssuerRoute>
  readonly now: () => number
}

/**
 * Creates the handler, with one new signing key for all tenants. URLs and version 2 issuers in its
 * responses have the origin of the request. Without effects of faults it answers as Entra ID does.
 */
export async function createEntra(options: EntraOptions) {
  const { directory, dispatcher, externalIssuers, now: clock } = options
  // Its id has the form of a certificate thumbprint.
  const key = await createSigningKey('sha1')
  const jwk = { ...key.jwk, x5t: key.kid }

  async function issueToken(parsed: TokenRequest, origin: string, now: number, effects: Effects) {
    await validateAssertion(parsed.assertion, {
      application: parsed.application,
      fetchKeys: (issuer) => fetchKeys(externalIssuers?.get(issuer) ?? { dispatcher }, issuer),
      now,
    })
    const identifier = parseResourceScope(parsed.scope)
    const resource = requireResource(directory, parsed.tenant, identifier)
    const selected = selectLifetime(parsed.application)
    const { expiresInSeconds = selected.expiresInSeconds, refreshInSeconds } =
      effects.lifetime ?? selected
    const grant = { ...parsed, resource, identifier, origin, now, expiresInSeconds }
    const header = { typ: 'JWT', x5t: resource.tokenVersion === 1 ? key.kid : undefined }
    return {
      token_type: 'Bearer',
      expires_in: expiresInSeconds,
      ext_expires_in: expiresInSeconds,
      refresh_in: refreshInSeconds,
      access_token: await key.sign(createAccessTokenClaims(grant), header),
    }
  }

  return async (request: Request, effects: Effects): Promise<Response> => {
    const { origin, pathname } = new URL(request.url)
    const now = clock() + (effects.clock?.offsetMs ?? 0)
    const tenantName = parseTokenRoute(pathname)
    if (tenantName === undefined) return answerMetadataRequest(request, { directory, jwk, now })
    const form = await readForm(request)
    try {
      const { answer } = effects
      if (answer?.kind === 'aadsts') throw new EntraError(answer.code, answer.text, answer)
      const parsed = parseTokenRequest(directory, tenantName, request.method, form)
      const body = await issueToken(parsed, origin, now, effects)
      return createJsonResponse(200, body, createTokenHeaders(randomUUID(), now))
    } catch (error) {
      if (!(error instanceof EntraError)) throw error
      return createErrorResponse(error, { request, form, now })
    }
  }
}

/** OpenID Connect scopes. Entra ID ignores them in a client credentials request; MSAL for Go sends them. */
const OIDC_SCOPES: ReadonlySet<string> = new Set(['openid', 'profile', 'email', 'offline_access'])

/** Parses a scope with exactly one `{resource}/.default`. OIDC scopes are ignored. */
function parseResourceScope(scope: string): string {
  const scopes = scope.split(' ').filter((part) => part !== '' && !OIDC_SCOPES.has(part))
  const [only, ...more] = scopes
  if (only === undefined || more.length > 0) {
    throw new EntraError(
      70011,
      `The provided request must include a 'scope' input parameter. The provided value for the input parameter 'scope' is not valid. The scope ${scope} is not valid.`,
    )
  }
  if (only.endsWith('/.default') && only.length > '/.default'.length) {
    return only.slice(0, -'/.default'.length)
  }
  throw new EntraError(
    1002012,
    `The provided value for scope ${scope} is not valid. Client credential flows must have a scope value with /.default suffixed to the resource identifier (application ID URI).`,
  )
}

function requireResource(directory: Directory, tenant: Tenant, identifier: string): Resource {
  const resource = findResource(directory, identifier)
  if (!resource) {
    throw new EntraError(
      500011,
      `The resource principal named ${identifier} was not found in the tenant named ${tenant.name}. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant. You might have sent your authentication request to the wrong tenant.`,
    )
  }
  return resource
}
