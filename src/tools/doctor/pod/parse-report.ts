/** Parses what doctor printed inside a pod: by a wimds of any version, or by whoever may change the pod. */
import * as z from 'zod/mini'
import { parseJson } from '../../../lib/json.ts'
import type { CheckName, CheckStatus, DoctorReport, StepReport } from '../doctor-report.ts'

/** About twice the report of the largest identities file, with a failure for each identity. */
const MAX_REPORT_LENGTH = 8 * 1024 * 1024
/** The formatter aligns the names of settings. */
const MAX_SETTINGS = 1000
const MAX_SETTING_NAME = 100

const text = z.string()
const texts = z.array(text)
const optional = z.exactOptional

/** Accepts any text: a later version may have more of them. */
const open = <Name extends string>() => z.custom<Name>((value) => typeof value === 'string')

const Failure = z.object({
  code: text,
  message: text,
  aadsts: optional(z.number()),
  explanation: optional(text),
  fix: optional(text),
  url: text,
})
const outcome = {
  status: open<CheckStatus>(),
  reason: optional(text),
  failure: optional(Failure),
}
const Port = z.object({ ...outcome, address: optional(text) })

const Report = z.object({
  schemaVersion: z.literal(1),
  version: text,
  ok: z.boolean(),
  checks: z.array(
    z.object({
      check: open<CheckName>(),
      subject: optional(text),
      status: open<CheckStatus>(),
      code: optional(text),
      reason: optional(text),
    }),
  ),
  settings: z
    .array(
      z.object({
        name: text.check(z.maxLength(MAX_SETTING_NAME)),
        value: text,
        source: z.enum(['environment', 'default']),
      }),
    )
    .check(z.maxLength(MAX_SETTINGS)),
  problems: optional(texts),
  settingsFailure: optional(Failure),
  warnings: texts,
  sidecar: optional(Port),
  admin: optional(Port),
  route: optional(
    z.object({
      ...outcome,
      leadsTo: optional(z.enum(['sidecar', 'another_service', 'nothing'])),
      detail: optional(text),
    }),
  ),
  requests: optional(
    z.object({
      status: outcome.status,
      reason: outcome.reason,
      since: optional(text),
      failed: z.array(
        z.object({
          protocol: text,
          client: text,
          clientVersion: text,
          count: z.number(),
          lastAt: text,
          needsFix: z.boolean(),
          failure: Failure,
        }),
      ),
    }),
  ),
  identities: z.array(
    z.object({
      name: text,
      clientId: text,
      tenantId: text,
      authorityHost: text,
      tokenFile: text,
      isDefault: z.boolean(),
      source: z.enum(['environment', 'file']),
    }),
  ),
  identityFailure: optional(Failure),
  assertions: z.array(
    z.object({
      ...outcome,
      file: text,
      issuer: optional(text),
      subject: optional(text),
      audience: optional(texts),
      issuedAt: optional(text),
      expiresAt: optional(text),
      warnings: texts,
    }),
  ),
  endpoints: z.array(
    z.object({
      ...outcome,
      endpoint: text,
      via: z.enum(['direct', 'proxy', 'token-proxy']),
      steps: z.array(
        z.object({
          step: open<StepReport['step']>(),
          ok: z.boolean(),
          detail: text,
          durationMs: z.number(),
        }),
      ),
    }),
  ),
  clock: optional(z.object({ ...outcome, skewSeconds: optional(z.number()) })),
  exchanges: z.array(
    z.object({
      ...outcome,
      identity: text,
      clientId: text,
      resource: text,
      expiresAt: optional(text),
      commands: optional(
        z.object({ azManagedIdentity: text, azApplication: text, terraform: text }),
      ),
      bindingCommands: optional(z.object({ azIdentityBinding: text, kubectlApply: text })),
    }),
  ),
})

/**
 * Returns the report, without members that this version does not know; undefined if it is not one of this schema.
 * Only parsed values are formatted, so no text of a pod can make doctor fail.
 */
export function parseReport(stdout: string): DoctorReport | undefined {
  if (stdout.length > MAX_REPORT_LENGTH) return undefined
  return Report.safeParse(parseJson(stdout)).data
}
