/** The rows of the report: one for each workload, client library and version. */
import { findLibrary, supportsWorkloadIdentity } from './client-libraries.ts'

/** The requests of one client library in one version, as a sidecar or a Prometheus reports them. */
export interface Sighting {
  /** `namespace/service account` or `namespace/workload`, or else the name of the pod. */
  readonly workload: string
  readonly client: string
  /** Empty if the client sends no version. */
  readonly version: string
  readonly requests: number
  readonly lastSeenAt: string
}

/** A sighting with the advice of this version of wimds, whichever version of the sidecar saw the client. */
export interface ReportRow extends Sighting {
  readonly title: string
  /** The first version that supports workload identity without a sidecar; absent: not known. */
  readonly workloadIdentitySince: string | undefined
  /** Says whether this version supports workload identity; absent if it is not known. */
  readonly supportsWorkloadIdentity: boolean | undefined
  readonly advice: string
}

/** Creates one row for each workload, client and version: replicas are one workload. */
export function createRows(sightings: readonly Sighting[]): ReportRow[] {
  const merged = new Map<string, Sighting>()
  for (const sighting of sightings) {
    const { workload, client, version, requests, lastSeenAt } = sighting
    const key = JSON.stringify([workload, client, version])
    const known = merged.get(key)
    merged.set(key, {
      ...sighting,
      requests: requests + (known?.requests ?? 0),
      lastSeenAt:
        known !== undefined && known.lastSeenAt > lastSeenAt ? known.lastSeenAt : lastSeenAt,
    })
  }
  return [...merged.values()]
    .map(addAdvice)
    .toSorted((a, b) => a.workload.localeCompare(b.workload) || b.requests - a.requests)
}

function addAdvice(sighting: Sighting): ReportRow {
  const library = findLibrary(sighting.client)
  const { title, workloadIdentitySince, advice } = library
  return {
    ...sighting,
    title,
    workloadIdentitySince,
    supportsWorkloadIdentity: supportsWorkloadIdentity(library, sighting.version),
    advice,
  }
}
