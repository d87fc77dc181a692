/** The dialect of Service Fabric: TLS, a shared secret, and a body of its own (R25). */
import { randomUUID } from 'node:crypto'
import type { BrokerError, ErrorCode } from '../errors.ts'
import type { Secret } from '../secret.ts'
import type { Dialect, Reply, TokenQuery, WireRequest } from './dialect.ts'
import { descriptionOf, oauthErrorOf } from './error-body.ts'
import { imds, requireApiVersion } from './imds.ts'
import { parseParameters, resourceOf, selectorOf } from './parameters.ts'
import { requireSecretHeader } from './secret-header.ts'

const FIRST_API_VERSION = '2019-07-01'

/** Spoken on a TLS listener whose certificate the clients know by its thumbprint. */
export function serviceFabric(secret: Secret): Dialect {
  return {
    name: 'service-fabric',
    path: imds.path,
    methods: ['GET'],
    parse: (request) => parse(request, secret),
    render: (answer) => imds.render(answer),
    renderError,
  }
}

function parse(request: WireRequest, secret: Secret): TokenQuery {
  requireSecretHeader(request.headers, 'secret', secret)
  const parameters = parseParameters(request.query)
  // Clients ask for 2019-07-01-preview, or for 2020-05-01.
  requireApiVersion(parameters.get('api-version')?.replace(/-preview$/, ''), FIRST_API_VERSION)
  const sha256 = parameters.get('token_sha256_to_refresh')
  return {
    resource: resourceOf(parameters),
    selector: selectorOf(parameters, { isEmptyNone: true }),
    ...(sha256 !== undefined && { refusedTokenSha256: sha256.toLowerCase() }),
  }
}

/** The service's own words for what it has words for. */
const CODES: Partial<Record<ErrorCode, string>> = {
  secret_header_wrong: 'SecretHeaderNotFound',
  identity_not_found: 'ManagedIdentityNotFound',
  identity_ambiguous: 'ManagedIdentityNotFound',
  resource_missing: 'ArgumentNullOrEmpty',
  api_version_invalid: 'InvalidApiVersion',
  internal: 'InternalServerError',
}

function renderError(error: BrokerError): Reply {
  return {
    status: error.status,
    body: JSON.stringify({
      error: {
        code: CODES[error.code] ?? oauthErrorOf(error),
        message: descriptionOf(error),
        correlationId: error.entra?.correlationId ?? randomUUID(),
      },
    }),
  }
}
