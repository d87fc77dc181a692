/** The closed list of error codes, and what each means for the caller. */

/** Whether a retry can succeed, and the HTTP status of the reply (R6, R14). */
interface ErrorKind {
  readonly permanent: boolean
  readonly status: 400 | 403 | 404 | 405 | 413 | 414 | 429 | 431 | 500 | 503 | 504
}

const permanent = (status: ErrorKind['status'] = 400): ErrorKind => ({ permanent: true, status })
const temporary = (status: ErrorKind['status'] = 503): ErrorKind => ({ permanent: false, status })

/** Every error code. They are public: replies, logs, metrics, doctor and docs/troubleshooting.md use them. */
export const ERROR_KINDS = {
  // The request
  metadata_header_missing: permanent(),
  forwarded_request: permanent(),
  host_not_allowed: permanent(),
  invalid_path: permanent(),
  method_not_allowed: permanent(405),
  not_found: permanent(404),
  imdsv2_not_supported: permanent(403),
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
  caller_not_allowed: permanent(),
  overloaded: temporary(),

  // The projected service-account token
  assertion_missing: temporary(),
  assertion_unreadable: temporary(),
  assertion_empty: temporary(),
  assertion_malformed: temporary(),
  assertion_expired: temporary(),
  assertion_audience: temporary(),

  // Pass-through to the real metadata service
  pass_through_failed: temporary(),

  // Connectivity to Entra ID
  entra_unreachable: temporary(),
  entra_tls: temporary(),
  entra_timeout: temporary(504),
  entra_throttled: temporary(429),
  entra_unavailable: temporary(),
  entra_bad_response: temporary(),
  entra_redirected: temporary(),
  entra_host_not_allowed: permanent(),

  // Rejections of Entra ID (src/exchange/aadsts-table.ts maps AADSTS codes to these)
  federated_credential_not_found: permanent(),
  federated_credential_mismatch: permanent(),
  assertion_refused: permanent(),
  issuer_unreachable: temporary(),
  application_refused: permanent(),
  tenant_refused: permanent(),
  resource_refused: permanent(),
  policy_refused: permanent(),
  token_proxy_forbidden: permanent(),
  entra_request_rejected: permanent(),

  listen_failed: temporary(500),
  internal: temporary(500),
} as const satisfies Record<string, ErrorKind>

export type ErrorCode = keyof typeof ERROR_KINDS

/** The details of an error response of Entra ID, for replies, logs and support tickets. */
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
  /** Milliseconds that the caller should wait before it retries. */
  readonly retryAfterMs?: number
  readonly entra?: EntraDetails
  /**
   * Epoch milliseconds until which an error with a permanent code may pass by itself, such as a federated
   * credential that has not reached all of Entra ID. Until then the error is temporary, with status 503.
   */
  readonly temporaryUntil?: number
}

/** An error with a code of the closed list, and a message for operators that contains no secret. */
export class BrokerError extends Error {
  readonly code: ErrorCode
  readonly retryAfterMs: number | undefined
  readonly entra: EntraDetails | undefined
  readonly temporaryUntil: number | undefined

  constructor(code: ErrorCode, message: string, options: BrokerErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'BrokerError'
    this.code = code
    this.retryAfterMs = options.retryAfterMs
    this.entra = options.entra
    this.temporaryUntil = options.temporaryUntil
  }

  /** True if the same request cannot succeed until somebody changes the configuration. */
  get isPermanent(): boolean {
    return this.temporaryUntil === undefined && ERROR_KINDS[this.code].permanent
  }

  /** The HTTP status of this error, unless a dialect has a different rule. */
  get status(): number {
    return this.temporaryUntil === undefined ? ERROR_KINDS[this.code].status : 503
  }
}

/** Returns a `BrokerError` unchanged, and any other error as `internal`, without details of its cause. */
export function toBrokerError(error: unknown): BrokerError {
  if (error instanceof BrokerError) return error
  return new BrokerError(
    'internal',
    'wimds failed unexpectedly. Fix: see the cause in its log, and report it as a bug of wimds',
    {
      cause: error,
    },
  )
}

/** Bad usage or configuration: the command line prints the message and exits with 64 (EX_USAGE). */
export class ConfigError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'ConfigError'
  }
}

/** Bad usage: each line of the message is a problem; the command line refers to `--help`. */
export class UsageError extends ConfigError {
  constructor(problems: readonly string[], options?: ErrorOptions) {
    super(problems.join('\n'), options)
    this.name = 'UsageError'
  }
}
