/** The closed list of error codes, and what each means for the caller. */

/** The source of an error: the request, the projected token, the exchange with Entra ID or the process. */
type ErrorSource = 'request' | 'assertion' | 'exchange' | 'process'

interface ErrorKind {
  readonly source: ErrorSource
  /** The HTTP status of the reply (R6, R14). */
  readonly status: 400 | 403 | 404 | 405 | 413 | 429 | 499 | 500 | 503 | 504
  /** True if a retry cannot succeed. */
  readonly permanent: boolean
}

const of = (source: ErrorSource, status: ErrorKind['status']): ErrorKind => ({
  source,
  status,
  permanent: status < 429,
})

/** Every error code. They are public: replies, logs, metrics, doctor and docs/troubleshooting.md use them. */
export const ERROR_KINDS = {
  // The request
  metadata_header_missing: of('request', 400),
  forwarded_request: of('request', 400),
  host_not_allowed: of('request', 400),
  invalid_path: of('request', 400),
  method_not_allowed: of('request', 405),
  not_found: of('request', 404),
  imdsv2_not_supported: of('request', 403),
  instance_not_configured: of('request', 403),
  request_too_large: of('request', 413),
  request_malformed: of('request', 400),
  parameter_duplicate: of('request', 400),
  api_version_invalid: of('request', 400),
  resource_missing: of('request', 400),
  resource_invalid: of('request', 400),
  selector_invalid: of('request', 400),
  invalid_secret_header: of('request', 400),
  identity_not_found: of('request', 400),
  identity_ambiguous: of('request', 400),
  resource_not_allowed: of('request', 400),
  overloaded: of('process', 503),
  // The caller has closed the connection, so the reply is only counted. Its status is nginx's for this case.
  request_abandoned: of('process', 499),

  // The projected service-account token
  assertion_missing: of('assertion', 503),
  assertion_unreadable: of('assertion', 503),
  assertion_empty: of('assertion', 503),
  assertion_malformed: of('assertion', 503),
  assertion_expired: of('assertion', 503),
  assertion_audience: of('assertion', 503),
  assertion_subject: of('assertion', 503),

  // Pass-through to the real metadata service
  pass_through_failed: of('process', 503),

  // Connectivity to Entra ID
  entra_unreachable: of('exchange', 503),
  entra_tls: of('exchange', 503),
  entra_timeout: of('exchange', 504),
  entra_throttled: of('exchange', 429),
  entra_unavailable: of('exchange', 503),
  entra_bad_response: of('exchange', 503),
  entra_redirected: of('exchange', 503),
  entra_host_not_allowed: of('exchange', 400),

  // Rejections of Entra ID (src/broker/aadsts.ts maps AADSTS codes to these)
  federated_credential_not_found: of('exchange', 400),
  federated_credential_mismatch: of('exchange', 400),
  assertion_refused: of('exchange', 400),
  assertion_not_yet_valid: of('exchange', 503),
  issuer_unreachable: of('exchange', 503),
  application_refused: of('exchange', 400),
  tenant_refused: of('exchange', 400),
  resource_refused: of('exchange', 400),
  policy_refused: of('exchange', 400),
  token_proxy_forbidden: of('exchange', 400),
  entra_request_rejected: of('exchange', 400),

  listen_failed: of('process', 500),
  internal: of('process', 500),
} as const satisfies Record<string, ErrorKind>

export type ErrorCode = keyof typeof ERROR_KINDS

/** Returns the error codes with this source. */
export function listCodes(source: ErrorSource): readonly ErrorCode[] {
  return Object.keys(ERROR_KINDS)
    .filter((name): name is ErrorCode => name in ERROR_KINDS)
    .filter((code) => ERROR_KINDS[code].source === source)
}

/** Returns true for the code of an error of an exchange or its projected token. Operators have to act on these errors. */
export function isOfExchange(code: string): boolean {
  const kinds: Readonly<Record<string, { readonly source: string }>> = ERROR_KINDS
  const source = kinds[code]?.source
  return source === 'exchange' || source === 'assertion'
}

/**
 * The errors of requests that client libraries send at every start: to detect IMDS (R6), or for optional data that only the
 * real service has (R7).
 */
export const PROBE_ERRORS: ReadonlySet<string> = new Set<ErrorCode>([
  'metadata_header_missing',
  'api_version_invalid',
  'not_found',
  'imdsv2_not_supported',
  'instance_not_configured',
])

/** The claims by which Entra ID finds the federated credential for an assertion. */
export interface AssertionClaims {
  readonly issuer: string
  readonly subject: string
  readonly audience: readonly string[]
}

/** The details of an error response of Entra ID, for replies, logs and support tickets. */
export interface EntraDetails {
  /** Entra's own OAuth error, such as `invalid_client`. */
  readonly error?: string | undefined
  /** The AADSTS number, such as 700213. */
  readonly aadsts?: number | undefined
  readonly traceId?: string | undefined
  readonly correlationId?: string | undefined
  /** The time of the rejection, in Entra ID's format. */
  readonly timestamp?: string | undefined
  /** Entra's page about the error. */
  readonly errorUri?: string | undefined
  /** The claims of the rejected assertion. */
  readonly assertion?: AssertionClaims
}

/** A problem and its fix, both without a full stop. */
export interface Problem {
  /** The name of the setting that causes the problem, if a setting does. */
  readonly setting?: string | undefined
  readonly problem: string
  readonly fix?: string | undefined
}

/** Formats `SETTING: PROBLEM. Fix: FIX` for people. */
export function formatProblem({ setting, problem, fix }: Problem): string {
  const text = setting === undefined ? problem : `${setting}: ${problem}`
  return fix === undefined ? text : `${endSentence(text)} Fix: ${fix}`
}

/** Adds a full stop unless the text ends a sentence. */
export function endSentence(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`
}

interface BrokerErrorOptions extends Pick<Problem, 'fix'> {
  readonly cause?: unknown
  /** Milliseconds that the caller should wait before it retries. */
  readonly retryAfterMs?: number | undefined
  readonly entra?: EntraDetails | undefined
  /**
   * True if the same request cannot succeed until the configuration is changed. By default the code decides. Some errors
   * differ: a new federated credential may not have reached all of Entra ID yet, or an issuer may be internal to the cluster.
   */
  readonly isPermanent?: boolean
}

/** An error with a code of the closed list. `message` tells operators the problem and the fix, and contains no secret. */
export class BrokerError extends Error {
  override readonly name = 'BrokerError'
  readonly code: ErrorCode
  readonly problem: string
  readonly fix: string | undefined
  readonly retryAfterMs: number | undefined
  readonly entra: EntraDetails | undefined
  /** True if the same request cannot succeed until the configuration is changed. */
  readonly isPermanent: boolean

  /** A text as `options` is the fix. */
  constructor(code: ErrorCode, problem: string, options: string | BrokerErrorOptions = {}) {
    const given = typeof options === 'string' ? { fix: options } : options
    const { cause, fix, retryAfterMs, entra, isPermanent = ERROR_KINDS[code].permanent } = given
    super(formatProblem({ problem, fix }), cause === undefined ? undefined : { cause })
    this.code = code
    this.problem = problem
    this.fix = fix
    this.retryAfterMs = retryAfterMs
    this.entra = entra
    this.isPermanent = isPermanent
  }

  /** Returns a copy with these changes. */
  with({
    problem = this.problem,
    ...changes
  }: { problem?: string } & Pick<BrokerErrorOptions, 'retryAfterMs' | 'isPermanent'>): BrokerError {
    const { code, fix, retryAfterMs, entra, isPermanent, cause } = this
    const details = { fix, retryAfterMs, entra, isPermanent, cause }
    return new BrokerError(code, problem, { ...details, ...changes })
  }

  /** The HTTP status of this error, unless a dialect has a different rule. */
  get status(): number {
    const { permanent: isCodePermanent, status } = ERROR_KINDS[this.code]
    if (this.isPermanent === isCodePermanent) return status
    return this.isPermanent ? 400 : 503
  }
}

/** Returns a `BrokerError` unchanged, and any other error as `internal`, without details of its cause. */
export function toBrokerError(error: unknown): BrokerError {
  if (error instanceof BrokerError) return error
  return new BrokerError('internal', 'wimds failed unexpectedly', {
    fix: 'see the cause in the log of wimds, and report the bug',
    cause: error,
  })
}

/** Bad usage or configuration: the command line prints the message and exits with 64 (EX_USAGE). */
export class ConfigError extends Error {
  override readonly name: string = 'ConfigError'
  /** The problems that the message lists, one per line. */
  readonly problems: readonly Problem[]

  constructor(
    problems: Problem | readonly (Problem | string)[],
    { title, ...options }: ErrorOptions & { title?: string } = {},
  ) {
    const all = [problems]
      .flat()
      .map((each) => (typeof each === 'string' ? { problem: each } : each))
    const lines = all.map(formatProblem)
    super(title === undefined ? lines.join('\n') : [title, ...lines].join('\n  '), options)
    this.problems = all
  }
}

/** Bad usage: the command line also refers to `--help`. */
export class UsageError extends ConfigError {
  override readonly name = 'UsageError'
}
