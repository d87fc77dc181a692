/** The report of `wimds doctor`. Its JSON form is public: members are added, never renamed. */
import type { StatusDocument } from '../telemetry/status-schema.ts'

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
  readonly settingsError?: Problem
  readonly warnings: readonly string[]
  /** Absent if it was not checked. */
  readonly sidecar?: SidecarReport
  /** The admin port. Absent if it was not checked, or is off. */
  readonly admin?: SidecarReport
  /** Where 169.254.169.254:80 leads. Absent if it was not checked. */
  readonly route?: RouteReport
  /** The failed requests of applications. Absent if nothing of the sidecar was checked. */
  readonly requests?: RequestsReport
  readonly identities: readonly IdentityReport[]
  /** Present if no identity is configured. */
  readonly identityError?: Problem
  readonly assertions: readonly AssertionReport[]
  readonly endpoints: readonly EndpointReport[]
  /** Seconds that the local clock is ahead of Entra's; absent if Entra ID did not answer. */
  readonly clockSkewSeconds?: number
  /** Present if the skew is too large for tokens to be trusted. */
  readonly clockError?: Problem
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
  | 'doctor_inside'
  | 'api_server'
  | 'issuer'
  | 'signing_keys'
  | 'injected_pod'
  | 'webhook'

/** One check. Of these statuses only `ok` means that something was found to be right. */
export interface CheckSummary {
  readonly check: CheckName
  /** What was checked, such as a file or an endpoint. */
  readonly subject?: string
  readonly status: CheckStatus
  /** The name of the fault, of a failed check. */
  readonly code?: string
  /** Why it was not made. */
  readonly reason?: string
}

/** A check with everything that is printed of it. */
export interface Finding extends CheckSummary {
  /** What was found, one line each. */
  readonly details: readonly string[]
  readonly error?: Problem
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

export interface RouteReport {
  readonly status: CheckStatus
  /** Absent in mode env, in which nothing is sent. */
  readonly leadsTo?: 'sidecar' | 'another_service' | 'nothing'
  readonly detail: string
  readonly error?: Problem
}

/** The requests that the sidecar answered with an error. */
export interface RequestsReport {
  /** Why they were not checked. */
  readonly notChecked?: string
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
  readonly error: Problem
}

export interface SidecarReport {
  /** `host:port` */
  readonly address: string
  readonly ok: boolean
  readonly error?: Problem
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
export interface AssertionReport {
  readonly file: string
  readonly ok: boolean
  readonly issuer?: string
  readonly subject?: string
  readonly audience?: readonly string[]
  readonly issuedAt?: string
  readonly expiresAt?: string
  readonly warnings: readonly string[]
  readonly error?: Problem
}

/** The connectivity to one token endpoint, step by step up to the first failure. */
export interface EndpointReport {
  /** `host:port` */
  readonly endpoint: string
  readonly via: 'direct' | 'proxy' | 'token-proxy'
  readonly ok: boolean
  readonly steps: readonly StepReport[]
  readonly error?: Problem
}

export interface StepReport {
  readonly step: 'dns' | 'tcp' | 'proxy' | 'tls'
  readonly ok: boolean
  readonly detail: string
  readonly durationMs: number
}

export interface ExchangeReport {
  readonly identity: string
  readonly clientId: string
  readonly resource: string
  readonly ok: boolean
  readonly expiresAt?: string
  readonly error?: Problem
  /** Why no exchange was attempted. */
  readonly notChecked?: string
  /** Commands that create the missing federated credential. */
  readonly commands?: CredentialCommands
  /** What identity bindings need, if the token proxy rejects the exchange. */
  readonly bindingCommands?: BindingCommands
}

export interface Problem {
  /** The error code of replies, metrics and logs, or the name of a check that only doctor makes. */
  readonly code: string
  readonly message: string
  readonly aadsts?: number
  /** What the AADSTS code means. */
  readonly explanation?: string
  readonly fix?: string
  /** The section of docs/troubleshooting.md. */
  readonly url: string
}

/** Three ways to create the same federated credential. */
export interface CredentialCommands {
  /** For a user-assigned managed identity. */
  readonly azManagedIdentity: string
  /** For an application registration. */
  readonly azApplication: string
  /** For a user-assigned managed identity. */
  readonly terraform: string
}

/** Commands for an exchange through the token proxy of AKS identity bindings. */
export interface BindingCommands {
  /** Creates the identity binding, and with it the federated credential. */
  readonly azIdentityBinding: string
  /** Allows the service account to use the identity: ClusterRole and ClusterRoleBinding. */
  readonly kubectlApply: string
}
