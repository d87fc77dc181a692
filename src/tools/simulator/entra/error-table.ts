/** The AADSTS codes of the simulator: HTTP status, OAuth error and default text of each. */

interface Group {
  readonly status: number
  readonly error: string
  /** Some codes have no `error_uri`. */
  readonly hasNoLink?: true
  /** The text by code. That of a failed check may be more specific. */
  readonly texts: Readonly<Record<number, string>>
}

const UNMATCHED = 'No matching federated identity record found for presented assertion'
const EXTERNAL = 'Request to External OIDC endpoint failed.'

/** From documentation and recorded responses. Four statuses are guesses (E6). */
const GROUPS: readonly Group[] = [
  {
    status: 401,
    error: 'invalid_client',
    texts: {
      70023:
        'External OIDC Provider token must have a lifetime of less than or equal to 1.01:00:00.',
      70021: `${UNMATCHED}.`,
      700024: 'Client assertion is not within its valid time range.',
      700027: 'Client assertion failed signature validation.',
      700211: `${UNMATCHED} issuer.`,
      700212: `${UNMATCHED} audience.`,
      7002121: `${UNMATCHED} audience.`,
      700213: `${UNMATCHED} subject.`,
      7002138: `${UNMATCHED} subject.`,
      700223: 'Workload identity federation is disabled by a policy of the tenant.',
      700238: 'Workload identity federation is limited by a policy of the tenant.',
      5002723:
        'Invalid JWT token. No certificate SHA-1 thumbprint, certificate SHA-256 thumbprint, nor keyId specified in token header.',
      7000215: 'Invalid client secret provided.',
      7000216:
        "'client_assertion', 'client_secret' or 'request' is required for the 'client_credentials' grant type.",
      7000218:
        "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.",
      7000222: 'The provided client secret keys are expired.',
      7000229: 'The client application is missing service principal in the tenant.',
      7000272:
        'The certificate used to sign the federated credential could not be found in the metadata of the identity provider.',
    },
  },
  {
    status: 401,
    error: 'invalid_client',
    hasNoLink: true,
    texts: { 70025: 'Client application has no configured federated identity credentials.' },
  },
  {
    status: 400,
    error: 'invalid_request',
    texts: {
      50027: 'JWT token is invalid or malformed.',
      50166: EXTERNAL,
      501661: EXTERNAL,
      90002: 'Tenant not found.',
      90013: 'Invalid input received from the user.',
      900021:
        'Requested tenant identifier is not valid. Tenant identifiers may not be an empty GUID.',
      900023:
        'Specified tenant identifier is neither a valid DNS name, nor a valid external domain.',
      900144: 'The request body lacks a parameter.',
      900561: 'The endpoint only accepts POST requests.',
      5002730: 'Invalid JWT token. Unsupported key for the signing algorithm.',
      5002738: 'Invalid JWT token. The signature algorithm is not supported.',
    },
  },
  {
    status: 400,
    error: 'invalid_request',
    hasNoLink: true,
    texts: {
      90061: EXTERNAL,
      900382: 'Confidential Client is not supported in Cross Cloud request.',
      900612: 'Failed to parse provider signing keys.',
    },
  },
  {
    status: 400,
    error: 'unauthorized_client',
    texts: {
      700011: 'Application was not found in the directory.',
      700016: 'Application was not found in the directory.',
      7000112: 'Application is disabled.',
    },
  },
  {
    status: 400,
    error: 'unsupported_grant_type',
    texts: { 70003: 'The app requested an unsupported grant type.' },
  },
  {
    status: 400,
    error: 'invalid_scope',
    texts: {
      70011: "The provided value for the input parameter 'scope' is not valid.",
      1002012:
        'Client credential flows must have a scope value with /.default suffixed to the resource identifier (application ID URI).',
    },
  },
  {
    status: 400,
    error: 'invalid_resource',
    texts: {
      500011: 'The resource principal was not found in the tenant.',
      500014: 'The service principal for the resource is disabled.',
    },
  },
  {
    status: 400,
    error: 'invalid_grant',
    texts: {
      50196: 'The server terminated an operation because it encountered a client request loop.',
      53003:
        'Access has been blocked by Conditional Access policies. The access policy does not allow token issuance.',
      501051: 'Application is not assigned to a role for the application.',
      5000225:
        'This tenant has been blocked due to inactivity. To learn more about tenant lifecycle policies, see https://aka.ms/TenantLifecycle',
    },
  },
  {
    status: 429,
    error: 'temporarily_unavailable',
    hasNoLink: true,
    texts: { 90055: 'The tenant is being throttled.' },
  },
  {
    status: 503,
    error: 'temporarily_unavailable',
    hasNoLink: true,
    texts: {
      50033: 'CCS could not serve the request that had failed at ESTS.',
      90006: 'External service has returned retryable error.',
      90012: 'The request has timed out.',
      90024: 'The request budget was exceeded.',
      90033: 'A transient error has occurred. Please try again.',
    },
  },
  {
    status: 500,
    error: 'server_error',
    hasNoLink: true,
    texts: { 50000: 'There was an error issuing a token.' },
  },
]

const OTHER: Group = { status: 400, error: 'invalid_request', texts: {} }

/** Returns status, error and text of a code. An unknown code is 400 `invalid_request`. */
export function findAadsts(code: number): Omit<Group, 'texts'> & { readonly text: string } {
  const { texts, ...group } = GROUPS.find((each) => each.texts[code] !== undefined) ?? OTHER
  return { ...group, text: texts[code] ?? 'Simulated error.' }
}
