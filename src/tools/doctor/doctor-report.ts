/** The report of `wimds doctor`. Its JSON form is public: members are added, never renamed. */
import type { StatusDocument } from '../../broker/telemetry/status-schema.ts'

/**
 * `not_checked`: the check could not be made. `not_needed`: this mode, or these settings or flags, have no use for the check.
 * Only `ok` means that doctor found something to be right.
 */
export type CheckStatus = 'ok' | 'failed' | 'not_checked' | 'not_needed'

/** The names of the checks. */
export type CheckName =
  | 'settings'
  | 'sidecar'
  | 'route'
  | 'identity'
  | 'projected_token'
  | 'clock'
  | 'token_exchange'
  | 'requests'
  | 'status'
  | 'pod'
  | 'sidecar_container'
  | 'redirect'
  | 'gate'
  | 'node_agent'
  | 'sdk_variables'
  | 'application_proxy'
  | 'api_server'
  | 'issuer'
  | 'injected_pod'
  | 'installation'
  | 'webhook'
  | 'injected_pods'

export interface Failure {
  /** The error code of replies, metrics and logs, or the name of a fault that only doctor finds. */
  readonly code: string
  readonly problem: string
  readonly aadsts?: number
  /** The meaning of the AADSTS code. */
  readonly explanation?: string
  readonly fix?: string
  /** The section of the documentation: a URL, or before a release a file of the checkout. */
  readonly url: string
}

export interface Finding {
  readonly check: CheckName
  /** The subject of the check, such as a file or an endpoint. */
  readonly subject?: string
  readonly status: CheckStatus
  /** Why the check was not made. */
  readonly reason?: string
  /** The facts that were found, one line each. */
  readonly details: readonly string[]
  /** Facts that may become a failure, or that need no fix. They do not fail the check. */
  readonly warnings?: readonly string[]
  /** Present if the check failed. */
  readonly failure?: Failure
  /** Shell commands that fix the failure. */
  readonly commands?: readonly { readonly purpose: string; readonly command: string }[]
}

/** The parts of a report: of this machine, of a pod, or of a cluster. */
export interface Sections {
  /** The namespace and the name of the pod that the user names; undefined: the current namespace of the kubeconfig. */
  readonly namespace?: string | undefined
  readonly pod?: string
  /** The settings of this machine, or of the pod; absent if they are not known. */
  readonly settings?: StatusDocument['settings'] | undefined
  /** A check stands after those that it depends on. Checks that a failure makes pointless are left out. */
  readonly checks: readonly Finding[]
}
