/** Parses a request to the token endpoint: route, tenant, form and required parameters. */
import { z } from 'zod'
import { findTenant, type Application, type Directory, type Tenant } from './directory.ts'
import { EntraError } from './entra-error.ts'

export type TokenRequest = ReturnType<typeof parseTokenRequest>

const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'

/** Returns the tenant in the path of a token endpoint; undefined for another path. Regional clients append a slash. */
export function parseTokenRoute(pathname: string): string | undefined {
  return /^\/([^/]+)\/oauth2\/v2\.0\/token\/?$/u.exec(pathname)?.[1]
}

/** Reads the form of a request. Empty for any other content type. */
export async function readForm(request: Request): Promise<URLSearchParams> {
  const [contentType] = (request.headers.get('content-type') ?? '').toLowerCase().split(';')
  if (request.method !== 'POST' || contentType?.trim() !== 'application/x-www-form-urlencoded') {
    return new URLSearchParams()
  }
  return new URLSearchParams(await request.text())
}

/**
 * Validates tenant, parameters and application in the order of Entra ID (a guess, E9). Throws an
 * {@link EntraError} at the first that is wrong.
 */
export function parseTokenRequest(
  directory: Directory,
  tenantName: string,
  method: string,
  form: URLSearchParams,
) {
  if (method !== 'POST') {
    throw new EntraError(
      900561,
      `The endpoint only accepts POST requests. Received a ${method} request.`,
    )
  }
  const tenant = requireTenant(directory, tenantName)
  const grantType = requireParameter(form, 'grant_type')
  if (grantType !== 'client_credentials') {
    throw new EntraError(70003, `The app requested an unsupported grant type '${grantType}'.`)
  }
  const clientId = requireParameter(form, 'client_id')
  const scope = requireParameter(form, 'scope')
  if (!z.guid().safeParse(clientId).success) {
    throw new EntraError(90013)
  }
  return {
    tenant,
    application: requireApplication(directory, tenant, clientId),
    /** The client assertion. Never logged, and not kept after the response. */
    assertion: requireAssertion(form),
    /** The scope as it was sent. */
    scope,
  }
}

function requireTenant(directory: Directory, idOrDomain: string): Tenant {
  if (/^[0-]+$/u.test(idOrDomain) && z.guid().safeParse(idOrDomain).success) {
    throw new EntraError(
      900021,
      `Requested tenant identifier '${idOrDomain}' is not valid. Tenant identifiers may not be an empty GUID.`,
    )
  }
  if (!z.guid().safeParse(idOrDomain).success && !/^[\w-]+(\.[\w-]+)+$/u.test(idOrDomain)) {
    throw new EntraError(
      900023,
      `Specified tenant identifier '${idOrDomain}' is neither a valid DNS name, nor a valid external domain.`,
    )
  }
  const tenant = findTenant(directory, idOrDomain)
  if (tenant) return tenant
  throw new EntraError(
    90002,
    `Tenant '${idOrDomain}' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud. Check with your subscription administrator, this may happen if there are no active subscriptions for the tenant.`,
  )
}

/** Returns the application of this tenant with the client id, whose case does not matter. */
function requireApplication(
  { applications }: Directory,
  tenant: Tenant,
  clientId: string,
): Application {
  const id = clientId.toLowerCase()
  const found = applications.find((each) => each.tenantId === tenant.id && each.clientId === id)
  if (found) return found
  throw new EntraError(
    700016,
    `Application with identifier '${clientId}' was not found in the directory '${tenant.name}'. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant. You may have sent your authentication request to the wrong tenant.`,
  )
}

function requireAssertion(form: URLSearchParams): string {
  const assertion = form.get('client_assertion')
  if (!assertion) throw new EntraError(7000216)
  if (requireParameter(form, 'client_assertion_type') === ASSERTION_TYPE) return assertion
  throw new EntraError(90013)
}

function requireParameter(form: URLSearchParams, name: string): string {
  const value = form.get(name)
  if (value) return value
  throw new EntraError(900144, `The request body must contain the following parameter: '${name}'.`)
}
