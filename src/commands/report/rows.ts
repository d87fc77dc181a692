/** The rows of the report: which workloads call, with which client library in which version. */
import { findLibrary } from '../../telemetry/client-libraries.ts'
import { supportsWorkloadIdentity } from '../../telemetry/clients.ts'

/** One client library in one version that one workload uses. */
export interface ReportRow {
  /** `namespace/service account` or `namespace/workload`, or else the name of the pod. */
  readonly workload: string
  readonly client: string
  readonly title: string
  /** Empty: the client does not say. */
  readonly version: string
  readonly requests: number
  readonly lastSeenAt: string
  /** The first version that supports workload identity without a sidecar; absent: not known. */
  readonly workloadIdentitySince?: string
  /** Whether this version does; absent: not known. */
  readonly supportsWorkloadIdentity?: boolean
  readonly advice: string
}

/** What a source knows of a client. */
export type Sighting = Pick<
  ReportRow,
  'workload' | 'client' | 'version' | 'requests' | 'lastSeenAt'
>

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

/** Adds the advice of this version of wimds, whichever version of the sidecar saw the client. */
function addAdvice(sighting: Sighting): ReportRow {
  const library = findLibrary(sighting.client)
  const { title, workloadIdentitySince, advice } = library
  const isSupported = supportsWorkloadIdentity(library, sighting.version)
  return {
    ...sighting,
    title: library.id === sighting.client ? title : sighting.client,
    ...(workloadIdentitySince !== undefined && { workloadIdentitySince }),
    ...(isSupported !== undefined && { supportsWorkloadIdentity: isSupported }),
    advice,
  }
}
