/** The rows of the report: one for each workload, client library and version. */
import { findLibrary } from '../../sidecar/telemetry/client-libraries.ts'
import { supportsWorkloadIdentity } from '../../sidecar/telemetry/clients.ts'

/** One client library in one version that one workload uses. */
export interface ReportRow {
  /** `namespace/service account` or `namespace/workload`, or else the name of the pod. */
  readonly workload: string
  readonly client: string
  readonly title: string
  /** Empty if the client sends no version. */
  readonly version: string
  readonly requests: number
  readonly lastSeenAt: string
  /** The first version that supports workload identity without a sidecar; absent: not known. */
  readonly workloadIdentitySince?: string
  /** Whether this version does; absent: not known. */
  readonly supportsWorkloadIdentity?: boolean
  readonly advice: string
}

/** The requests of one client, as a sidecar or a Prometheus reports them. */
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
