/** Removes the sidecar from a pod: the inverse of injection. */
import { removeInjection } from './earlier-injection.ts'
import { findChange, findUnrecorded, type InjectionRecord, readRecord } from './injection-record.ts'
import { allContainers, parsePod, type Pod } from './pod.ts'

export type Uninjection =
  | { readonly kind: 'uninjected'; readonly pod: Pod; readonly warnings: readonly string[] }
  /** The pod has not been injected. */
  | { readonly kind: 'skipped' }
  /** It is malformed, or has a sidecar without a record. */
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
      .filter((entry) => findChange(record, container, entry)?.isEdited)
      .map(({ name }) => `${name} of ${container.name}`),
  )
  return [
    ...(edited.length === 0
      ? []
      : [
          `left as it is, since it was edited after the injection: ${edited.join(', ')}. Fix: delete the parts that are not yours`,
        ]),
    ...(pod.metadata?.annotations?.['wimds.io/inject'] === 'true'
      ? [
          'the annotation wimds.io/inject stays, by which the webhook injects the pods again. Fix: delete it',
        ]
      : []),
  ]
}
