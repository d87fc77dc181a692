/** What Entra says when it refuses: codes, texts, statuses and the shape of the body. */
import { randomUUID } from 'node:crypto'
import { jsonResponse } from './handler.ts'

/** A refused token request. The message is the text after `AADSTSn: `, without the trailer. */
export class Refusal extends Error {
  readonly code: number
  readonly overrides: RefusalOverrides

  constructor(code: number, message: string, overrides: RefusalOverrides = {}) {
    super(message)
    this.name = 'Refusal'
    this.code = code
    this.overrides = overrides
  }
}

interface RefusalOverrides {
  readonly status?: number | undefined
  readonly error?: string | undefined
  /** Members of the body beside the usual ones. */
  readonly extra?: Readonly<Record<string, unknown>>
}

interface RefusalKind {
  readonly status: number
  readonly error: string
  /** Some codes carry no link to their explanation. */
  readonly uri?: false
  /** Text for a code that is forced; what the check itself says is more exact. */
  readonly text: string
}

const kind = (status: number, error: string, text: string, uri?: false): RefusalKind =>
  uri === undefined ? { status, error, text } : { status, error, text, uri }

const UNMATCHED = 'No matching federated identity record found for presented assertion'

/** Sources per row: the tables of section 3 of the Entra contract. */
const KINDS: ReadonlyMap<number, RefusalKind> = new Map([
  // Federation and assertion
  [70021, kind(400, 'invalid_request', `${UNMATCHED}.`)],
  [700211, kind(401, 'invalid_client', `${UNMATCHED} issuer.`)],
  [700212, kind(401, 'invalid_client', `${UNMATCHED} audience.`)],
  [7002121, kind(401, 'invalid_client', `${UNMATCHED} audience.`)],
  [700213, kind(401, 'invalid_client', `${UNMATCHED} subject.`)],
  [7002138, kind(401, 'invalid_client', `${UNMATCHED} subject.`)],
  [
    70025,
    kind(401, 'invalid_client', 'The client has no configured federated identity credentials.'),
  ],
  [
    70023,
    kind(
      401,
      'invalid_client',
      'External OIDC Provider token must have a lifetime of less than or equal to 1.01:00:00.',
    ),
  ],
  [700024, kind(401, 'invalid_client', 'Client assertion is not within its valid time range.')],
  [
    7000272,
    kind(
      401,
      'invalid_client',
      'The certificate used to sign the federated credential could not be found in the metadata of identity provider.',
    ),
  ],
  [50166, kind(400, 'invalid_request', 'Request to External OIDC endpoint failed.')],
  [501661, kind(400, 'invalid_request', 'Request to External OIDC endpoint failed.')],
  [90061, kind(400, 'invalid_request', 'Request to External OIDC endpoint failed.', false)],
  [900612, kind(400, 'invalid_request', 'Failed to parse provider signing keys.', false)],
  [50027, kind(400, 'invalid_request', 'JWT token is invalid or malformed.')],
  [
    5002723,
    kind(
      401,
      'invalid_client',
      'Invalid JWT token. No certificate SHA-1 thumbprint, certificate SHA-256 thumbprint, nor keyId specified in token header.',
    ),
  ],
  [
    5002730,
    kind(400, 'invalid_request', 'Invalid JWT token. Unsupported key for the signing algorithm.'),
  ],
  [700027, kind(401, 'invalid_client', 'Client assertion failed signature validation.')],
  [
    700223,
    kind(
      401,
      'invalid_client',
      'Workload identity federation is disabled by a policy of the tenant.',
    ),
  ],
  [
    700238,
    kind(
      401,
      'invalid_client',
      'Workload identity federation is limited by a policy of the tenant.',
    ),
  ],
  [
    7000215,
    kind(
      401,
      'invalid_client',
      'Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID.',
    ),
  ],
  [
    7000216,
    kind(
      401,
      'invalid_client',
      "'client_assertion', 'client_secret' or 'request' is required for the 'client_credentials' grant type.",
    ),
  ],
  [
    7000218,
    kind(
      401,
      'invalid_client',
      "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.",
    ),
  ],
  [7000222, kind(401, 'invalid_client', 'The provided client secret keys are expired.')],

  // Tenant, application, resource, policy
  [700016, kind(400, 'unauthorized_client', 'Application was not found in the directory.')],
  [
    7000229,
    kind(
      401,
      'invalid_client',
      'The client application is missing service principal in the tenant.',
    ),
  ],
  [7000112, kind(400, 'unauthorized_client', 'Application is disabled.')],
  [90002, kind(400, 'invalid_request', 'Tenant not found.')],
  [
    900021,
    kind(
      400,
      'invalid_request',
      'Requested tenant identifier is not valid. Tenant identifiers may not be an empty GUID.',
    ),
  ],
  [
    900023,
    kind(
      400,
      'invalid_request',
      'Specified tenant identifier is neither a valid DNS name, nor a valid external domain.',
    ),
  ],
  [
    900382,
    kind(
      400,
      'invalid_request',
      'Confidential Client is not supported in Cross Cloud request.',
      false,
    ),
  ],
  [
    900144,
    kind(400, 'invalid_request', 'The request body must contain a parameter that it lacks.'),
  ],
  [900561, kind(400, 'invalid_request', 'The endpoint only accepts POST requests.')],
  [90013, kind(400, 'invalid_request', 'Invalid input received from the user.')],
  [70003, kind(400, 'unsupported_grant_type', 'The app requested an unsupported grant type.')],
  [
    70011,
    kind(400, 'invalid_scope', "The provided value for the input parameter 'scope' is not valid."),
  ],
  [
    1002012,
    kind(
      400,
      'invalid_scope',
      'Client credential flows must have a scope value with /.default suffixed to the resource identifier (application ID URI).',
    ),
  ],
  [500011, kind(400, 'invalid_resource', 'The resource principal was not found in the tenant.')],
  [500014, kind(400, 'invalid_resource', 'The service principal for the resource is disabled.')],
  [
    501051,
    kind(400, 'invalid_grant', 'Application is not assigned to a role for the application.'),
  ],
  [
    53003,
    kind(
      400,
      'invalid_grant',
      'Access has been blocked by Conditional Access policies. The access policy does not allow token issuance.',
    ),
  ],
  [
    5000225,
    kind(
      400,
      'invalid_grant',
      'This tenant has been blocked due to inactivity. To learn more about tenant lifecycle policies, see https://aka.ms/TenantLifecycle',
    ),
  ],
  [50049, kind(400, 'invalid_instance', 'Unknown or invalid instance.')],

  // Service side
  [
    90033,
    kind(
      503,
      'temporarily_unavailable',
      'A transient error has occurred. Please try again.',
      false,
    ),
  ],
  [90055, kind(400, 'temporarily_unavailable', 'The tenant is being throttled.')],
  [
    50033,
    kind(
      503,
      'temporarily_unavailable',
      'CCS could not serve the request that had failed at ESTS.',
    ),
  ],
  [
    50196,
    kind(
      400,
      'invalid_grant',
      'The server terminated an operation because it encountered a client request loop.',
    ),
  ],
  [90006, kind(503, 'temporarily_unavailable', 'External service has returned retryable error.')],
  [90012, kind(503, 'temporarily_unavailable', 'The request has timed out.')],
  [
    90024,
    kind(
      503,
      'temporarily_unavailable',
      'There was a transient error; the request budget was exceeded.',
    ),
  ],
  [50000, kind(500, 'server_error', 'There was an error issuing a token.')],
])

const UNKNOWN = kind(400, 'invalid_request', 'Simulated error.')

/** A refusal that was asked for by its number. */
export function forcedRefusal(
  code: number,
  overrides: RefusalOverrides & { readonly text?: string | undefined } = {},
): Refusal {
  return new Refusal(code, overrides.text ?? (KINDS.get(code) ?? UNKNOWN).text, overrides)
}

interface RefusalContext {
  readonly correlationId: string
  /** Entra's clock, epoch milliseconds. */
  readonly now: number
  /** Origin of the login host, for the link to the explanation. */
  readonly origin: string
  /** Between the three items of the trailer: spaces since 2024, CRLF before. */
  readonly trailerSeparator?: ' ' | '\r\n'
}

/** The JSON answer to a refused request, with a new trace id. */
export function refusalResponse(refusal: Refusal, context: RefusalContext): Response {
  const { correlationId, now, origin, trailerSeparator = ' ' } = context
  const { code, message, overrides } = refusal
  const known = KINDS.get(code) ?? UNKNOWN
  const traceId = randomUUID()
  const timestamp = utcTimestamp(now)
  const description = [
    `AADSTS${code}: ${message}`,
    `Trace ID: ${traceId}`,
    `Correlation ID: ${correlationId}`,
    `Timestamp: ${timestamp}`,
  ].join(trailerSeparator)
  const body = {
    error: overrides.error ?? known.error,
    error_description: description,
    error_codes: [code],
    timestamp,
    trace_id: traceId,
    correlation_id: correlationId,
    ...(known.uri === false ? {} : { error_uri: `${origin}/error?code=${code}` }),
    ...overrides.extra,
  }
  return jsonResponse(overrides.status ?? known.status, body, responseHeaders(traceId, now))
}

/** Headers that every answer of the token endpoint carries, success or not. */
export const responseHeaders = (
  traceId: string,
  now: number,
): Readonly<Record<string, string>> => ({
  'cache-control': 'no-store, no-cache',
  pragma: 'no-cache',
  expires: '-1',
  'strict-transport-security': 'max-age=31536000; includeSubDomains',
  'x-content-type-options': 'nosniff',
  p3p: 'CP="DSP CUR OTPi IND OTRi ONL FIN"',
  'x-ms-request-id': traceId,
  'x-ms-ests-server': '2.1.0.0 - SIM ProdSlices',
  'set-cookie': 'x-ms-gateway-slice=estsfd; path=/; secure; samesite=none; httponly',
  date: new Date(now).toUTCString(),
})

/** `2025-07-01 23:32:51Z`. */
const utcTimestamp = (now: number): string =>
  `${new Date(now).toISOString().slice(0, 19).replace('T', ' ')}Z`
