/** The report of `wimds doctor`. Its JSON form is public: members are added, never renamed. */
import type { StatusDocument } from '../telemetry/status-schema.ts'

export interface DoctorReport {
  readonly schemaVersion: 1
  readonly version: string
  /** False if a check failed; warnings alone leave it true. */
  readonly ok: boolean
  readonly settings: StatusDocument['settings']
  readonly warnings: readonly string[]
  /** Absent if it was not checked. */
  readonly sidecar?: SidecarReport
  readonly identities: readonly IdentityReport[]
  /** Present if no identity is configured. */
  readonly identityError?: Problem
  readonly assertions: readonly AssertionReport[]
  readonly endpoints: readonly EndpointReport[]
  /** Seconds that the local clock is ahead of Entra's; absent if Entra ID did not answer. */
  readonly clockSkewSeconds?: number
  /** Empty with `--no-exchange`. */
  readonly exchanges: readonly ExchangeReport[]
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
