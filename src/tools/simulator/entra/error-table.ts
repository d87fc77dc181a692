/** The AADSTS codes of the simulator: HTTP status, OAuth error and text of each. */

/** The statuses and errors are from documentation and recorded responses; four statuses are guesses (E6). */
const GROUPS: readonly (readonly [status: number, error: string, codes: readonly number[]])[] = [
  [
    401,
    'invalid_client',
    [
      70021, 70023, 70025, 700024, 700027, 700211, 700212, 700213, 700223, 700238, 5002723, 7000215,
      7000216, 7000218, 7000222, 7000229, 7000272, 7002121, 7002138, 5002741,
    ],
  ],
  [400, 'unauthorized_client', [700011, 700016, 7000112]],
  [400, 'unsupported_grant_type', [70003]],
  [400, 'invalid_scope', [70011, 1002012]],
  [400, 'invalid_resource', [500011, 500014]],
  [400, 'invalid_grant', [50196, 53003, 501051, 5000225]],
  [429, 'temporarily_unavailable', [90055]],
  [503, 'temporarily_unavailable', [50033, 90006, 90012, 90024, 90033]],
  [500, 'server_error', [50000]],
]

/** The texts of errors that name no value. */
const TEXTS: ReadonlyMap<number, string> = new Map([
  [50027, 'JWT token is invalid or malformed.'],
  [
    53003,
    'Access has been blocked by Conditional Access policies. The access policy does not allow token issuance.',
  ],
  [70025, 'Client application has no configured federated identity credentials.'],
  [90013, 'Invalid input received from the user.'],
  [90033, 'A transient error has occurred. Please try again.'],
  [50166, 'Request to External OIDC endpoint failed.'],
  [501661, 'Request to External OIDC endpoint failed.'],
  [700027, 'Client assertion failed signature validation.'],
  [900612, 'Failed to parse provider signing keys.'],
  [
    5002723,
    'Invalid JWT token. No certificate SHA-1 thumbprint, certificate SHA-256 thumbprint, nor keyId specified in token header.',
  ],
  [5002730, 'Invalid JWT token. Unsupported key for the signing algorithm.'],
  [
    7000216,
    "'client_assertion', 'client_secret' or 'request' is required for the 'client_credentials' grant type.",
  ],
])

/** Returns status, error and text of a code. A code of no group is 400 `invalid_request`. */
export function findAadsts(code: number) {
  const [status, error] = GROUPS.find(([, , codes]) => codes.includes(code)) ?? OTHER
  return { status, error, text: TEXTS.get(code) ?? 'Simulated error.' }
}

const OTHER = [400, 'invalid_request'] as const
