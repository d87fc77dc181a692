/** The closed list of things that can go wrong with a request, and what each means to a caller. */

/** Whether asking again can help, and with which HTTP status a dialect says so (R6, R14). */
interface ErrorKind {
  readonly permanent: boolean
  readonly status: 400 | 404 | 405 | 413 | 414 | 429 | 431 | 500 | 503 | 504
}

const permanent = (status: ErrorKind['status'] = 400): ErrorKind => ({ permanent: true, status })
const temporary = (status: ErrorKind['status'] = 503): ErrorKind => ({ permanent: false, status })

/**
 * Every error code. They are an interface: logs, metrics, `wimds doctor` and
 * docs/troubleshooting.md use them verbatim.
 */
export const ERROR_KINDS = {
  // What a caller sent
  metadata_header_missing: permanent(),
  forwarded_request: permanent(),
  host_not_allowed: permanent(),
  invalid_path: permanent(),
  method_not_allowed: permanent(405),
  not_found: permanent(404),
  request_too_large: permanent(413),
  request_malformed: permanent(),
  parameter_duplicate: permanent(),
  api_version_invalid: permanent(),
  resource_missing: permanent(),
  resource_invalid: permanent(),
  selector_invalid: permanent(),
  invalid_secret_header: permanent(),
  identity_not_found: permanent(),
  identity_ambiguous: permanent(),
  resource_not_allowed: permanent(),
  overloaded: temporary(),

  // The projected service-account token
  assertion_missing: temporary(),
  assertion_unreadable: temporary(),
  assertion_empty: temporary(),
  assertion_malformed: temporary(),
  assertion_expired: temporary(),
  assertion_audience: temporary(),

  // The way to the machine's real metadata service
  pass_through_failed: temporary(),

  // The way to Entra ID
  entra_unreachable: temporary(),
  entra_tls: temporary(),
  entra_timeout: temporary(504),
  entra_throttled: temporary(429),
  entra_unavailable: temporary(),
  entra_bad_response: temporary(),
  entra_redirected: temporary(),
  entra_host_not_allowed: permanent(),

  // What Entra ID said (src/exchange/aadsts.ts maps AADSTS codes to these)
  trust_propagating: temporary(),
  federated_credential_not_found: permanent(),
  federated_credential_mismatch: permanent(),
  assertion_refused: permanent(),
  issuer_unreachable: temporary(),
  application_refused: permanent(),
  tenant_refused: permanent(),
  resource_refused: permanent(),
  policy_refused: permanent(),
  entra_request_rejected: permanent(),

  internal: temporary(500),
} as const satisfies Record<string, ErrorKind>

export type ErrorCode = keyof typeof ERROR_KINDS

/** What Entra ID said of a refused exchange, for the wire, logs and support tickets. */
export interface EntraDetails {
  /** Entra's own OAuth error, such as `invalid_client`. */
  readonly error?: string
  /** The AADSTS number, such as 700213. */
  readonly aadsts?: number
  readonly traceId?: string
  readonly correlationId?: string
}

interface BrokerErrorOptions {
  readonly cause?: unknown
  /** How long a caller should wait before it asks again, in milliseconds. */
  readonly retryAfterMs?: number
  readonly entra?: EntraDetails
}

/** A refusal with a code of the closed list and a message for the operator that holds no secret. */
export class BrokerError extends Error {
  readonly code: ErrorCode
  readonly retryAfterMs: number | undefined
  readonly entra: EntraDetails | undefined

  constructor(code: ErrorCode, message: string, options: BrokerErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'BrokerError'
    this.code = code
    this.retryAfterMs = options.retryAfterMs
    this.entra = options.entra
  }

  /** True when the same request cannot succeed until somebody changes something. */
  get isPermanent(): boolean {
    return ERROR_KINDS[this.code].permanent
  }

  /** The HTTP status of this error in a dialect that has no rule of its own. */
  get status(): number {
    return ERROR_KINDS[this.code].status
  }
}

/** The error itself, or an `internal` one that tells a caller nothing of an unknown cause. */
export function toBrokerError(error: unknown): BrokerError {
  if (error instanceof BrokerError) return error
  return new BrokerError('internal', 'wimds failed unexpectedly; its log has the cause', {
    cause: error,
  })
}

/** Bad usage or configuration: the command line prints the message and exits 64 (EX_USAGE). */
export class ConfigError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'ConfigError'
  }
}

/** Bad usage: each line of the message is a mistake, and the command line adds where the usage is. */
export class UsageError extends ConfigError {
  constructor(mistakes: readonly string[], options?: ErrorOptions) {
    super(mistakes.join('\n'), options)
    this.name = 'UsageError'
  }
}
