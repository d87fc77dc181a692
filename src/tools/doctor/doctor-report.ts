/**
 * The report of `wimds doctor`, here, of a pod, and before an installation. Its JSON form is public: members are added,
 * never renamed.
 */
import * as z from 'zod/mini'
import { parseJson } from '../../lib/json.ts'
import { VERSION } from '../../lib/version.ts'

/**
 * `not_checked`: it could not be checked, or a failed check made it pointless. `not_needed`: this mode, or these
 * settings, have no use for it. `skipped`: left out by a flag. Only `ok` means that something was found to be right.
 */
export type CheckStatus = 'ok' | 'failed' | 'not_checked' | 'not_needed' | 'skipped'

/** The names of the checks: of a sidecar, of a pod from outside, before an installation, and of an installation. */
export type CheckName =
  | 'settings'
  | 'sidecar'
  | 'admin_port'
  | 'route'
  | 'identity'
  | 'projected_token'
  | 'clock'
  | 'token_exchange'
  | 'requests'
  | 'pod'
  | 'sidecar_container'
  | 'redirect'
  | 'gate'
  | 'node_agent'
  | 'sdk_variables'
  | 'application_proxy'
  | 'doctor_inside'
  | 'api_server'
  | 'issuer'
  | 'signing_keys'
  | 'injected_pod'
  | 'webhook_configuration'
  | 'installation'
  | 'webhook'
  | 'injected_pods'
  | 'images'
  | 'local_redirect'
  | 'application'

/** About twice the report of the largest identities file, with a failure for each identity. */
const MAX_REPORT_LENGTH = 8 * 1024 * 1024

const text = z.string()
const optional = z.exactOptional

/** Accepts any text: a later version may have more of them. */
const open = <Name extends string>() => z.custom<Name>((value) => typeof value === 'string')

const Failure = z.object({
  /** The error code of replies, metrics and logs, or the name of a fault that only doctor finds. */
  code: text,
  problem: text,
  aadsts: optional(z.number()),
  /** The meaning of the AADSTS code. */
  explanation: optional(text),
  fix: optional(text),
  /** The section of docs/troubleshooting.md. */
  url: text,
})

const Finding = z.object({
  check: open<CheckName>(),
  /** The subject of the check, such as a file or an endpoint. */
  subject: optional(text),
  status: open<CheckStatus>(),
  /** Why it was not made. */
  reason: optional(text),
  /** The facts that were found, one line each. */
  details: z.array(text),
  /** Facts that may become a failure, or that need no fix; they leave the check passed. */
  warnings: optional(z.array(text)),
  /** Present if it failed. */
  failure: optional(Failure),
  /** Shell commands that fix it. */
  commands: optional(z.array(z.object({ purpose: text, command: text }))),
})

/** The report of one machine, such as that inside a pod. */
const Report = z.object({
  schemaVersion: z.literal(1),
  version: text,
  /** True if every check passed, is not needed, or was left out by a flag; warnings leave it true. */
  ok: z.boolean(),
  /** The settings of this machine; absent with `--pod` and `--pre`. */
  settings: optional(
    z.array(z.object({ name: text, value: text, source: z.enum(['environment', 'default']) })),
  ),
  /** Every check, in the order in which one depends on the other, also the checks that were not made. */
  checks: z.array(Finding),
})

export type Failure = z.infer<typeof Failure>
export type Finding = z.infer<typeof Finding>

/** The parts of a report: of this machine, of a pod, or of a cluster. */
export interface Sections extends Pick<z.infer<typeof Report>, 'settings' | 'checks'> {
  /** The pod of `--pod`; without a namespace, the current namespace of the kubeconfig. */
  namespace?: string | undefined
  pod?: string
  /** The report of doctor inside the container of the sidecar; absent if it could not be run. */
  inside?: z.infer<typeof Report> | undefined
}

export type DoctorReport = z.infer<typeof Report> & Sections

/** Creates the report of these checks. */
export function createReport(sections: Sections): DoctorReport {
  const ok = listChecks(sections).every(
    ({ status }) => status !== 'failed' && status !== 'not_checked',
  )
  return { schemaVersion: 1, version: VERSION, ok, ...sections }
}

/** Returns every check of the report, also those inside the pod. */
export function listChecks({ checks, inside }: Sections): Finding[] {
  return [...checks, ...(inside?.checks ?? [])]
}

/**
 * Returns what doctor printed inside a pod, without members that this version does not know; undefined if it is not a
 * report of this schema. It was written by a wimds of any version, or by anyone who may change the pod: only parsed
 * values are formatted, so no text of a pod can make doctor fail.
 */
export function parseReport(stdout: string): DoctorReport | undefined {
  if (stdout.length > MAX_REPORT_LENGTH) return undefined
  return Report.safeParse(parseJson(stdout)).data
}
