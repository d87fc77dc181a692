/** A Microsoft Entra ID that truly verifies: the token endpoint, and the documents around it. */
import { randomUUID } from 'node:crypto'
import {
  accessTokenClaims,
  createTokenSigner,
  lifetimeOf,
  rolesOf,
  tokenResponseBody,
} from './access-token.ts'
import { checkAssertion } from './validate-assertion.ts'
import {
  findResource,
  inventedResource,
  type Application,
  type Directory,
  type Resource,
  type Tenant,
} from './directory.ts'
import { entraDocument } from './metadata.ts'
import type { Effects } from '../faults/faults.ts'
import { jsonResponse } from '../http/handler.ts'
import { issuerKeySource, type FetchText, type IssuerRoute } from './issuer-keys.ts'
import { forcedRefusal, Refusal, refusalResponse, responseHeaders } from './entra-error.ts'
import {
  sentCorrelationId,
  formOf,
  parseTokenRequest,
  tokenRoute,
  type TokenRoute,
} from './token-request.ts'

export interface EntraOptions {
  /** Read at each request, so that a change of it holds from then on. */
  readonly directory: Directory
  /** How Entra reaches issuers. */
  readonly fetchText: FetchText
  /** Issuers that are reached in another way, by their exact name. */
  readonly externalIssuers?: ReadonlyMap<string, IssuerRoute>
  readonly now?: () => number
  readonly random?: () => number
  /** How long an issuer's keys are held; 0: read at each exchange. */
  readonly issuerCacheMs?: number
  /** How far an assertion's times may be off. */
  readonly toleranceMs?: number
  /** Between the items of an error's trailer: spaces since 2024, CRLF before. */
  readonly trailerSeparator?: ' ' | '\r\n'
}

/** A {@link Handler} that faults can bend; without effects it answers as Entra does. */
export type EntraHandler = (request: Request, effects?: Effects) => Promise<Response>

/**
 * Entra's handler, with one new signing key for all tenants. It serves any origin: the URLs and
 * version 2 issuers it names are those of the request.
 */
export async function createEntra(options: EntraOptions): Promise<EntraHandler> {
  const {
    directory,
    fetchText,
    externalIssuers,
    now: clock = Date.now,
    random = Math.random,
  } = options
  const { issuerCacheMs = 0, toleranceMs = 300_000, trailerSeparator = ' ' } = options
  const signer = await createTokenSigner()
  const keysOf = issuerKeySource({
    routeTo: (issuer) => externalIssuers?.get(issuer) ?? { fetchText },
    cacheMs: issuerCacheMs,
    now: clock,
  })

  async function issue(
    route: TokenRoute,
    request: Request,
    form: URLSearchParams,
    effects: Effects,
    now: number,
  ): Promise<Readonly<Record<string, unknown>>> {
    if (effects.answer?.kind === 'aadsts') throw forcedRefusal(effects.answer.code, effects.answer)
    const wanted = parseTokenRequest(directory, route, request.method, form)
    const { tenant, application, endpointVersion, isCaeCapable } = wanted
    const isUnheard = effects.propagation && random() < effects.propagation.probability
    await checkAssertion(wanted.assertion, {
      application,
      credentials: isUnheard ? [] : application.federatedCredentials,
      keysOf,
      now,
      toleranceMs,
    })
    const identifier = endpointVersion === 2 ? resourceOfScope(wanted.wanted) : wanted.wanted
    const resource = usableResource(directory, tenant, application, identifier)
    if (application.blockedByPolicy !== undefined) throw blocked(application.blockedByPolicy)

    const usual = lifetimeOf(application, random)
    const lifetime = {
      expiresInSeconds: effects.lifetime?.expiresInSeconds ?? usual.expiresInSeconds,
      refreshInSeconds: effects.lifetime
        ? effects.lifetime.refreshInSeconds
        : usual.refreshInSeconds,
    }
    const { origin } = new URL(request.url)
    const { expiresInSeconds } = lifetime
    const grant = {
      tenant,
      application,
      resource,
      identifier,
      origin,
      now,
      expiresInSeconds,
      isCaeCapable,
    }
    const accessToken = await signer.sign(accessTokenClaims(grant), resource.tokenVersion)
    return tokenResponseBody(endpointVersion, accessToken, lifetime, grant)
  }

  return async (request, effects = {}) => {
    const { origin, pathname } = new URL(request.url)
    const now = clock() + (effects.clock?.offsetMs ?? 0)
    const route = tokenRoute(pathname)
    if (!route) return entraDocument(request, { directory, jwk: signer.jwk, now })
    const form = await formOf(request)
    try {
      const body = await issue(route, request, form, effects, now)
      const missing = effects['missing-fields']?.fields ?? []
      const sent = Object.fromEntries(
        Object.entries(body).filter(([name]) => !missing.includes(name)),
      )
      return jsonResponse(200, sent, responseHeaders(randomUUID(), now))
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      const correlationId = sentCorrelationId(request, form)
      return refusalResponse(error, { correlationId, now, origin, trailerSeparator })
    }
  }
}

/** The resource of a `{resource}/.default` scope: one resource, and no other permission. */
function resourceOfScope(scope: string): string {
  const scopes = scope.split(' ').filter((one) => one !== '')
  const [only, ...more] = scopes
  if (only === undefined || more.length > 0) {
    throw new Refusal(
      70011,
      `The provided request must include a 'scope' input parameter. The provided value for the input parameter 'scope' is not valid. The scope ${scope} is not valid.`,
    )
  }
  if (only.endsWith('/.default') && only.length > '/.default'.length) {
    return only.slice(0, -'/.default'.length)
  }
  throw new Refusal(
    1002012,
    `The provided value for scope ${scope} is not valid. Client credential flows must have a scope value with /.default suffixed to the resource identifier (application ID URI).`,
  )
}

function usableResource(
  directory: Directory,
  tenant: Tenant,
  application: Application,
  identifier: string,
): Resource {
  const resource =
    findResource(directory, identifier) ??
    (directory.unknownResources === 'issue' ? inventedResource(identifier) : undefined)
  if (!resource) {
    throw new Refusal(
      500011,
      `The resource principal named ${identifier} was not found in the tenant named ${tenant.name}. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant. You might have sent your authentication request to the wrong tenant.`,
    )
  }
  if (resource.disabled) {
    throw new Refusal(
      500014,
      `The service principal for resource '${identifier}' is disabled. This indicate that a subscription within the tenant has lapsed, or that the administrator for this tenant has disabled the application, preventing tokens from being issued for it.`,
    )
  }
  if (resource.assignmentRequired && rolesOf(application, resource).length === 0) {
    throw new Refusal(
      501051,
      `Application '${application.clientId}'(${application.name}) is not assigned to a role for the application '${identifier}'(${resource.name}).`,
    )
  }
  return resource
}

const blocked = (policy: string): Refusal =>
  new Refusal(
    53003,
    'Access has been blocked by Conditional Access policies. The access policy does not allow token issuance.',
    {
      extra: {
        suberror: 'message_only',
        claims: JSON.stringify({
          access_token: { capolids: { essential: true, values: [policy] } },
        }),
      },
    },
  )
