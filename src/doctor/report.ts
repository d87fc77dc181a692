/** What `wimds doctor` finds out. As JSON it is an interface: members are added, none are renamed. */
import type { StatusDocument } from '../telemetry/status-schema.ts'

export interface DoctorReport {
  readonly schemaVersion: 1
  readonly version: string
  /** False when an application would not get its token; warnings alone leave it true. */
  readonly ok: boolean
  readonly settings: readonly Setting[]
  readonly warnings: readonly string[]
  readonly identities: readonly IdentityReport[]
  readonly assertions: readonly AssertionReport[]
  readonly ways: readonly WayReport[]
  /** How far the local clock is ahead of Entra ID's; absent when Entra ID gave no answer. */
  readonly clockSkewSeconds?: number
  readonly exchanges: readonly ExchangeReport[]
}

/** A setting that has a value, without its secret. */
export interface Setting {
  readonly name: string
  readonly value: string
  readonly source: StatusDocument['settings'][number]['source']
}

export interface IdentityReport {
  readonly name: string
  readonly clientId: string
  readonly tenantId: string
  readonly authorityHost: string
  readonly tokenFile: string
  readonly isDefault: boolean
  readonly origin: 'environment' | 'file'
}

/** Claims of a projected token, and never the token. */
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

/** The way to one token endpoint, step by step, up to the first that fails. */
export interface WayReport {
  /** `host:port` */
  readonly endpoint: string
  /** For whom it stands, if the token proxy of the cluster is between. */
  readonly via: 'direct' | 'proxy' | 'token-proxy'
  readonly steps: readonly StepReport[]
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
  /** Commands that create the federated identity credential which is missing. */
  readonly fix?: CredentialFix
}

export interface Problem {
  /** A heading of docs/troubleshooting.md. */
  readonly code: string
  readonly message: string
  readonly aadsts?: number
  /** What Entra ID means by the AADSTS code, and what to do about it. */
  readonly meaning?: string
  readonly remedy?: string
}

/** The same credential, made in three ways. */
export interface CredentialFix {
  /** For a user-assigned managed identity. */
  readonly azManagedIdentity: string
  /** For an application registration. */
  readonly azApplication: string
  /** For a user-assigned managed identity. */
  readonly terraform: string
}
