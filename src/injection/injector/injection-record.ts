/** The record of an injection: an annotation that lists the changes, so that a removal or another injection can undo them. */
import { createHash } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import * as z from 'zod/mini'
import { parseJson } from '../../lib/json.ts'
import { IDENTITY_HEADER_NAMES } from '../../lib/sdk-variables.ts'
import { ROUTING_MODES } from '../../lib/sidecar-interface.ts'
import {
  allContainers,
  type Container,
  type EnvVar,
  findVariable,
  GATE,
  getLiteralValue,
  type Pod,
  SIDECAR,
} from '../../kubernetes/pod.ts'

export const INJECTED = 'wimds.io/injected'

/**
 * A changed variable. First its value before the injection, null if it was not set. Then a digest of its value after the injection.
 * The digest is null if that value is the sidecar's WIMDS_IDENTITY_HEADER, which may be a secret.
 */
const Change = z.tuple([z.nullable(z.string()), z.nullable(z.string())])

const InjectionRecord = z.object({
  mode: z.enum(ROUTING_MODES),
  /** The changes by container and variable. */
  env: z.optional(z.record(z.string(), z.record(z.string(), Change))),
})
export type InjectionRecord = z.infer<typeof InjectionRecord>

/** Returns the record. Undefined if the pod has none, or one of a version with another format. */
export function readRecord({ metadata }: Pod): InjectionRecord | undefined {
  return InjectionRecord.safeParse(parseJson(metadata?.annotations?.[INJECTED] ?? '')).data
}

/** Formats the record of what injection changed in the pod's own containers. */
export function formatRecord(mode: InjectionRecord['mode'], before: Pod, after: Pod): string {
  const earlier = new Map(allContainers(before).map((each) => [each.name, each]))
  const changes = allContainers(after).flatMap((container) => {
    const old = earlier.get(container.name)
    const found = old === undefined ? [] : findChanges(old, container)
    return found.length === 0 ? [] : [[container.name, Object.fromEntries(found)] as const]
  })
  const record = changes.length === 0 ? { mode } : { mode, env: Object.fromEntries(changes) }
  return JSON.stringify(record satisfies InjectionRecord)
}

function findChanges(before: Container, after: Container) {
  const unchanged = new Set(before.env)
  return (after.env ?? [])
    .filter((entry) => !unchanged.has(entry))
    .map((entry) => {
      const old = getLiteralValue(findVariable(before, entry.name)) ?? null
      const digest = IDENTITY_HEADER_NAMES.has(entry.name) ? null : computeDigest(entry)
      return [entry.name, [old, digest] satisfies z.infer<typeof Change>] as const
    })
}

/** Returns a digest of the value, which shows whether it was edited since. The value itself, a list of hosts, can be long. */
function computeDigest(entry: EnvVar): string {
  const value = getLiteralValue(entry) ?? ''
  return createHash('sha256').update(value).digest('base64url').slice(0, 8)
}

/** Returns a problem if the pod has a sidecar or gate but no record. Undefined for any other pod. */
export function findUnrecorded(pod: Pod): string | undefined {
  const found = allContainers(pod).find(({ name }) => name === SIDECAR || name === GATE)
  return found !== undefined && readRecord(pod) === undefined
    ? `the pod has a container ${found.name} that the annotation ${INJECTED} does not record: an older version injected it, or it is your own. Fix: start from the manifest without it, or rename a container of your own`
    : undefined
}

/** Returns how injection changed a variable, and whether it was edited since. Undefined if injection did not change it. */
export function findChange(
  pod: Pod,
  { env = {} }: InjectionRecord,
  container: Container,
  entry: EnvVar,
) {
  const changes = Object.hasOwn(env, container.name) ? env[container.name] : undefined
  const change = changes && Object.hasOwn(changes, entry.name) ? changes[entry.name] : undefined
  if (change === undefined) return undefined
  const [before, after] = change
  const isEdited = after === null ? !isSecretOf(pod, entry) : computeDigest(entry) !== after
  return { before, isEdited }
}

/** Returns true if the variable has the value or the source of the sidecar's secret, or if the sidecar has no secret. */
function isSecretOf(pod: Pod, { name, ...source }: EnvVar): boolean {
  const sidecar = allContainers(pod).find((each) => each.name === SIDECAR)
  const secret = sidecar && findVariable(sidecar, 'WIMDS_IDENTITY_HEADER')
  return secret === undefined || isDeepStrictEqual({ ...secret, name }, { ...source, name })
}
