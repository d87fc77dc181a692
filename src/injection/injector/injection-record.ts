/** The record of an injection: an annotation that says what it changed, by which it is repeated and removed. */
import { createHash } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import * as z from 'zod/mini'
import { parseJson } from '../../lib/json.ts'
import { listFound } from '../../lib/printable.ts'
import { IDENTITY_HEADER_NAMES } from '../../lib/sdk-variables.ts'
import { ROUTING_MODES } from '../../lib/sidecar-interface.ts'
import {
  allContainers,
  type Container,
  type EnvVar,
  findVariable,
  GATE,
  getLiteralValue,
  isInjected,
  isReservedVolume,
  parsePod,
  type Pod,
  SIDECAR,
} from '../../kubernetes/pod.ts'

export const INJECTED = 'wimds.io/injected'

/**
 * The value before (null: the variable was not set), and a digest of the value after (null: that of the sidecar's
 * WIMDS_IDENTITY_HEADER, which may be a secret).
 */
const Change = z.tuple([z.nullable(z.string()), z.nullable(z.string())])

const InjectionRecord = z.object({
  mode: z.enum(ROUTING_MODES),
  /** The changes by container and variable. */
  env: z.optional(z.record(z.string(), z.record(z.string(), Change))),
})
type InjectionRecord = z.infer<typeof InjectionRecord>

/** Returns the record; undefined for a pod that this version did not inject. */
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

/** Returns a short digest of the value, which shows whether it was edited since. A list of hosts can be long. */
function computeDigest(entry: EnvVar): string {
  const value = getLiteralValue(entry) ?? ''
  return createHash('sha256').update(value).digest('base64url').slice(0, 8)
}

/** Returns why a pod without a record is not changed: it has a sidecar or gate. Undefined for any other. */
export function findUnrecorded(pod: Pod): string | undefined {
  const found = allContainers(pod).find(({ name }) => name === SIDECAR || name === GATE)
  return found !== undefined && readRecord(pod) === undefined
    ? `the pod has a container ${found.name} that the annotation ${INJECTED} does not record: an older version injected it, or it is your own. Fix: start from the manifest without it, or rename a container of your own`
    : undefined
}

/**
 * Returns the pod without what the record says that injection added. A variable that was edited since stays. A list
 * or map that only injection had filled is dropped.
 */
export function removeInjection(pod: Pod, record: InjectionRecord): Pod {
  const restore = (container: Container) =>
    reduce(container, 'env', (env) =>
      env.flatMap((entry) => {
        const change = findChange(pod, record, container, entry)
        if (change === undefined || change.isEdited) return [entry]
        return change.before === null ? [] : [{ ...entry, value: change.before }]
      }),
    )
  const clean = (list: Container[]) => list.filter((each) => !isInjected(each)).map(restore)
  const cleaned = { ...pod.spec, containers: clean(pod.spec.containers) }
  const spec = reduce(reduce(cleaned, 'initContainers', clean), 'volumes', (volumes) =>
    volumes.filter((volume) => !isReservedVolume(volume)),
  )
  return reduce({ ...pod, spec }, 'metadata', (metadata) =>
    reduce(metadata, 'annotations', (annotations) => {
      const { [INJECTED]: _, ...others } = annotations
      return others
    }),
  )
}

/** Returns how injection changed a variable, and whether it was edited since; undefined: not at all. */
function findChange(pod: Pod, { env = {} }: InjectionRecord, container: Container, entry: EnvVar) {
  const changes = Object.hasOwn(env, container.name) ? env[container.name] : undefined
  const change = changes && Object.hasOwn(changes, entry.name) ? changes[entry.name] : undefined
  if (change === undefined) return undefined
  const [before, after] = change
  const isEdited = after === null ? !isSecretOf(pod, entry) : computeDigest(entry) !== after
  return { before, isEdited }
}

/** Returns true if the variable has the value or the source of the sidecar's secret, or the pod's sidecar has none. */
function isSecretOf(pod: Pod, { name, ...source }: EnvVar): boolean {
  const sidecar = allContainers(pod).find((each) => each.name === SIDECAR)
  const secret = sidecar && findVariable(sidecar, 'WIMDS_IDENTITY_HEADER')
  return secret === undefined || isDeepStrictEqual({ ...secret, name }, { ...source, name })
}

/** Returns the object with less in a member, and without the member if nothing is left in it. */
function reduce<T extends object, K extends keyof T>(
  object: T,
  name: K,
  change: (member: NonNullable<T[K]>) => T[K],
): T {
  const { [name]: member, ...others } = object
  if (member == null || isEmpty(member)) return object
  const left = change(member)
  // oxlint-disable-next-line no-unsafe-type-assertion -- the members that are dropped are optional
  return isEmpty(left) ? (others as unknown as T) : { ...object, [name]: left }
}

function isEmpty(value: unknown): boolean {
  return Object.keys(value ?? {}).length === 0
}

export type Uninjection =
  | { readonly kind: 'uninjected'; readonly pod: Pod; readonly warnings: readonly string[] }
  /** The pod has not been injected. */
  | { readonly kind: 'skipped' }
  /** The record is malformed, or the pod has a sidecar without a record. */
  | { readonly kind: 'rejected'; readonly reasons: readonly string[] }

/** Removes what injection added to a pod or pod template, by its record. Pure. The author's own annotations stay. */
export function uninject(value: unknown): Uninjection {
  const problems: string[] = []
  const pod = parsePod(value, problems)
  if (pod === undefined) return { kind: 'rejected', reasons: problems }
  const unrecorded = findUnrecorded(pod)
  if (unrecorded !== undefined) return { kind: 'rejected', reasons: [unrecorded] }
  const record = readRecord(pod)
  if (record === undefined) return { kind: 'skipped' }
  const warnings = findWarnings(pod, record)
  return { kind: 'uninjected', pod: removeInjection(pod, record), warnings }
}

function findWarnings(pod: Pod, record: InjectionRecord): string[] {
  const edited = allContainers(pod).flatMap((container) =>
    (container.env ?? [])
      .filter((entry) => findChange(pod, record, container, entry)?.isEdited)
      .map(({ name }) => `${name} of ${container.name}`),
  )
  return listFound(
    edited.length > 0 &&
      `left as it is, since it was edited after the injection: ${edited.join(', ')}. Fix: delete the parts that are not yours`,
    pod.metadata?.annotations?.['wimds.io/inject'] === 'true' &&
      'the annotation wimds.io/inject stays, so the webhook injects the pods again. Fix: delete it',
  )
}
