/** Removes an injection from a pod, by its record. */
import { listFound } from '../../lib/printable.ts'
import {
  allContainers,
  type Container,
  isInjected,
  isReservedVolume,
  parsePod,
  type Pod,
} from '../../kubernetes/pod.ts'
import {
  findChange,
  findUnrecorded,
  INJECTED,
  type InjectionRecord,
  readRecord,
} from './injection-record.ts'

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

/**
 * Returns the pod without the containers, volumes and variables that injection added by the record. A variable that was edited since
 * stays. A list or map that had members only of the injection is dropped.
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

/** Returns the object with the member changed, or without the member if that leaves it empty. */
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
