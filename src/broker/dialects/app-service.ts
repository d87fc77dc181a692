/**
 * The dialects of App Service at /msi/token: 2019-08-01, and 2017-09-01, which Azure ML speaks too
 * (R24). The header that carries the secret distinguishes them.
 */
import { createHash, randomUUID, timingSafeEqual } from 'node:crypto'
import { BrokerError } from '../../lib/errors.ts'
import { TOKEN_PATHS } from '../../lib/sidecar-interface.ts'
import type { Secret } from '../../lib/secret.ts'
import { cloudShell } from './cloud-shell.ts'
import {
  createJsonReply,
  type Dialect,
  findOAuthError,
  formatDescription,
  formatOwnMember,
  type Reply,
  type TokenQuery,
  type WireRequest,
} from './dialect.ts'
import { formatExpiresOn } from './expires-on.ts'
import { parseParameters, parseResource, parseSelector, requireApiVersion } from './parameters.ts'

const HEADER_2019 = 'x-identity-header'
const HEADER_2017 = 'secret'

/** Creates the dialects at /msi/token, for callers that send `secret`. */
export function createAppServiceDialects(secret: Secret): Dialect[] {
  return [
    {
      name: 'app-service-2017',
      path: TOKEN_PATHS.appService,
      methods: ['GET'],
      matches: is2017,
      parse: (request) => parse(request, secret, HEADER_2017, '2017-09-01'),
      render: createRender('2017-09-01'),
      renderError: renderError2017,
    },
    // Azure SDKs for Java, and old ones for Go, speak Cloud Shell's protocol to MSI_ENDPOINT and do not send MSI_SECRET. They
    // get tokens all the same: IMDS on the same port requires no secret either.
    { ...cloudShell, path: TOKEN_PATHS.appService, matches: isCloudShell },
    {
      name: 'app-service-2019',
      path: TOKEN_PATHS.appService,
      methods: ['GET'],
      parse: (request) => parse(request, secret, HEADER_2019, '2019-08-01'),
      render: createRender('2019-08-01'),
      renderError,
    },
  ]
}

function is2017({ headers, query }: WireRequest): boolean {
  if (headers[HEADER_2019] !== undefined) return false
  return headers[HEADER_2017] !== undefined || findApiVersion(query)?.startsWith('2017') === true
}

function isCloudShell({ headers, query }: WireRequest): boolean {
  const hasSecret = headers[HEADER_2019] !== undefined || headers[HEADER_2017] !== undefined
  return !hasSecret && headers['metadata'] !== undefined && findApiVersion(query) === undefined
}

/** Finds the api-version without validating it, to distinguish protocols. */
function findApiVersion(query: string): string | undefined {
  return /(?:^|&)api-version=([^&]*)/i.exec(query)?.[1]
}

function parse(request: WireRequest, secret: Secret, header: string, first: string): TokenQuery {
  requireSecret(request, header, secret)
  const parameters = parseParameters(request.query)
  requireApiVersion(parameters, first)
  return { resource: parseResource(parameters), selector: parseSelector(parameters) }
}

/**
 * Throws `invalid_secret_header` unless the header holds the secret. Compares digests in constant
 * time, so that the duration reveals neither the secret's length nor its beginning.
 */
function requireSecret({ headers }: WireRequest, name: string, secret: Secret): void {
  const sent = headers[name]
  const isValid =
    typeof sent === 'string' && timingSafeEqual(computeDigest(sent), computeDigest(secret.reveal()))
  if (!isValid) {
    throw new BrokerError(
      'invalid_secret_header',
      `The header ${name.toUpperCase()} is ${sent === undefined ? 'missing' : 'wrong'}`,
      'set IDENTITY_HEADER or MSI_SECRET of the application to the WIMDS_IDENTITY_HEADER of the sidecar',
    )
  }
}

function computeDigest(secret: string): Buffer {
  return createHash('sha256').update(secret).digest()
}

/** App Service is not IMDS: its token service runs on ASP.NET Core. */
const HEADERS = { Server: 'Kestrel' }

function createRender(version: Parameters<typeof formatExpiresOn>[0]): Dialect['render'] {
  return ({ query, identity, token, expiresOn }, { headers }) => {
    const body = {
      access_token: token.secret.reveal(),
      client_id: identity.clientId,
      expires_on: formatExpiresOn(version, expiresOn, headers['user-agent']),
      resource: query.resource,
      token_type: 'Bearer',
    }
    return createJsonReply(200, body, HEADERS)
  }
}

/** Renders an error for old clients, which recognize it by `ExceptionMessage` (Azure ML by `message`), not by its status. */
function renderError2017(error: BrokerError): Reply {
  return renderError(error, {
    ExceptionMessage: formatDescription(error),
    ErrorCode: findOAuthError(error),
  })
}

function renderError(error: BrokerError, more: Readonly<Record<string, string>> = {}): Reply {
  // 401 is safe here, unlike on the IMDS token path, where clients probe (R6).
  const status = error.code === 'invalid_secret_header' ? 401 : error.status
  const body = {
    statusCode: status,
    message: formatDescription(error),
    correlationId: error.entra?.correlationId ?? randomUUID(),
    ...formatOwnMember(error),
    ...more,
  }
  return createJsonReply(status, body, HEADERS)
}
