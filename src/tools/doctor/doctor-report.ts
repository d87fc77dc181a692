/** The report of `wimds doctor`. Its JSON form is public: members are added, never renamed. */
import type {
  BindingCommands,
  CredentialCommands,
} from '../../sidecar/exchange/credential-commands.ts'
import type { StatusDocument } from '../../sidecar/telemetry/status-schema.ts'

export interface DoctorReport {
  readonly schemaVersion: 1
  readonly version: string
  /** True if every check passed, is not needed, or was left out by a flag; warnings leave it true. */
  readonly ok: boolean
  /** Every check with its outcome, those that were not made among them. */
  readonly checks: readonly CheckSummary[]
  readonly settings: StatusDocument['settings']
  /** The problems of invalid settings; then nothing that depends on them was checked. */
  readonly problems?: readonly string[]
  readonly settingsFailure?: Failure
  readonly warnings: readonly string[]
  /** Absent with `--no-sidecar`, like admin, route and requests, or if its own settings are invalid. */
  readonly sidecar?: PortReport
  readonly admin?: PortReport
  /** Where 169.254.169.254:80 leads. */
  readonly route?: RouteReport
  /** The failed requests of applications. */
  readonly requests?: RequestsReport
  readonly identities: readonly IdentityReport[]
  /** Present if no identity is configured. */
  readonly identityFailure?: Failure
  readonly assertions: readonly AssertionReport[]
  readonly endpoints: readonly EndpointReport[]
  /** Absent if the settings are invalid. */
  readonly clock?: ClockReport
  /** Empty with `--no-exchange`, and without identities. */
  readonly exchanges: readonly ExchangeReport[]
}

/**
 * `not_checked`: it could not be checked, or a failed check made it pointless. `not_needed`: this mode, or these
 * settings, have no use for it. `skipped`: left out by a flag.
 */
export type CheckStatus = 'ok' | 'failed' | 'not_checked' | 'not_needed' | 'skipped'

/** The names of the checks: of a sidecar, of a pod from outside, and before an installation. */
export type CheckName =
  | 'settings'
  | 'sidecar'
  | 'admin_port'
  | 'route'
  | 'requests'
  | 'identity'
  | 'projected_token'
  | 'connectivity'
  | 'clock'
  | 'token_exchange'
  | 'pod'
  | 'sidecar_container'
  | 'redirect'
  | 'node_agent'
  | 'sdk_variables'
  | 'application_proxy'
  | 'doctor_inside'
  | 'api_server'
  | 'issuer'
  | 'signing_keys'
  | 'injected_pod'
  | 'webhook'

/** How a check ended. Of the statuses only `ok` means that something was found to be right. */
export interface Outcome {
  readonly status: CheckStatus
  /** Why it was not made. */
  readonly reason?: string
  /** Present if it failed. */
  readonly failure?: Failure
}

/** One check in the list of all. */
export interface CheckSummary extends Omit<Outcome, 'failure'> {
  readonly check: CheckName
  /** The subject of the check, such as a file or an endpoint. */
  readonly subject?: string
  /** The name of the fault, of a failed check. */
  readonly code?: string
}

/** A check with everything that is printed of it. */
export interface Finding extends CheckSummary, Outcome {
  /** The facts that were found, one line each. */
  readonly details: readonly string[]
}

/** The report of `wimds doctor --pod`. */
export interface PodReport {
  readonly schemaVersion: 1
  readonly version: string
  readonly ok: boolean
  /** Absent: the current namespace of the kubeconfig. */
  readonly namespace?: string
  readonly pod: string
  /** The checks from outside. */
  readonly checks: readonly Finding[]
  /** The report of doctor inside the container of the sidecar; absent if it could not be run. */
  readonly inside?: DoctorReport
}

/** The report of `wimds doctor --pre`. */
export interface PreReport {
  readonly schemaVersion: 1
  readonly version: string
  readonly ok: boolean
  readonly checks: readonly Finding[]
}

export interface RouteReport extends Outcome {
  /** Absent in mode env, in which nothing is sent. */
  readonly leadsTo?: 'sidecar' | 'another_service' | 'nothing'
  /** The facts that were found. */
  readonly detail?: string
}

/** The requests that the sidecar answered with an error. */
export interface RequestsReport extends Omit<Outcome, 'failure'> {
  /** When the sidecar started, and the counts with it. */
  readonly since?: string
  /** Of each protocol, error code and client library, the latest first. */
  readonly failed: readonly FailedRequestsReport[]
}

export interface FailedRequestsReport {
  readonly protocol: string
  /** The client library and the version of the latest, as in metrics. */
  readonly client: string
  readonly clientVersion: string
  readonly count: number
  readonly lastAt: string
  /** False, which leaves the check passed: they are no longer recent, its cause has passed, or SDKs send such requests as probes. */
  readonly needsFix: boolean
  readonly failure: Failure
}

/** The ports of wimds for requests of applications, or its admin ports. */
export interface PortReport extends Outcome {
  /** `host:port` of each, or of the one that failed; absent if nothing was sent. */
  readonly address?: string
}

export interface IdentityReport {
  readonly name: string
  readonly clientId: string
  readonly tenantId: string
  readonly authorityHost: string
  readonly tokenFile: string
  readonly isDefault: boolean
  readonly source: 'environment' | 'file'
}

/** The claims of a projected token, and never the token. */
export interface AssertionReport extends Outcome {
  readonly file: string
  readonly issuer?: string
  readonly subject?: string
  readonly audience?: readonly string[]
  readonly issuedAt?: string
  readonly expiresAt?: string
  readonly warnings: readonly string[]
}

/** The connectivity to one token endpoint, step by step up to the first failure. */
export interface EndpointReport extends Outcome {
  /** `host:port` */
  readonly endpoint: string
  readonly via: 'direct' | 'proxy' | 'token-proxy'
  readonly steps: readonly StepReport[]
}

export interface StepReport {
  readonly step: 'dns' | 'tcp' | 'proxy' | 'tls'
  readonly ok: boolean
  readonly detail: string
  readonly durationMs: number
}

/** The clock of this machine; it failed if the skew is too large for tokens to be trusted. */
export interface ClockReport extends Outcome {
  /** Seconds that it is ahead of Entra's; absent if Entra ID did not answer. */
  readonly skewSeconds?: number
}

export interface ExchangeReport extends Outcome {
  readonly identity: string
  readonly clientId: string
  readonly resource: string
  readonly expiresAt?: string
  /** Commands that create the missing federated credential. */
  readonly commands?: CredentialCommands
  /** The needs of identity bindings, if the token proxy rejects the exchange. */
  readonly bindingCommands?: BindingCommands
}

export interface Failure {
  /** The error code of replies, metrics and logs, or the name of a check that only doctor makes. */
  readonly code: string
  readonly message: string
  readonly aadsts?: number
  /** The meaning of the AADSTS code. */
  readonly explanation?: string
  readonly fix?: string
  /** The section of docs/troubleshooting.md. */
  readonly url: string
}
