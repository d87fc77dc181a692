/** The rows of the report: one for each workload, client library and version. */
import { type ClientLibrary, findLibrary, supportsWorkloadIdentity } from './client-libraries.ts'

/** The requests of one client library in one version, as a sidecar or a Prometheus reports them. */
export interface Sighting {
  /** `namespace/service account` or `namespace/workload`, or else the name of the pod. */
  readonly workload: string
  readonly client: string
  /** Empty if the client sends no version. */
  readonly version: string
  readonly requests: number
  /** The time in ISO 8601; empty if it is unknown. */
  readonly lastSeenAt: string
}

/** A sighting with the advice of this version of wimds. The sidecar that saw the client may have another version. */
export interface ReportRow extends Sighting, ClientLibrary {
  /** True if this version supports workload identity; undefined if that is unknown. */
  readonly supportsWorkloadIdentity: boolean | undefined
}

/** Creates one row for each workload, client and version that was seen. All replicas are one workload. */
export function createRows(sightings: readonly Sighting[]): ReportRow[] {
  const groups = Map.groupBy(sightings, ({ workload, client, version }) =>
    JSON.stringify([workload, client, version]),
  )
  return [...groups.values()]
    .map((group) =>
      group.reduce((sum, next) => ({
        ...sum,
        requests: sum.requests + next.requests,
        lastSeenAt: sum.lastSeenAt > next.lastSeenAt ? sum.lastSeenAt : next.lastSeenAt,
      })),
    )
    .filter(({ lastSeenAt }) => lastSeenAt !== '')
    .map(addAdvice)
    .toSorted((a, b) => a.workload.localeCompare(b.workload) || b.requests - a.requests)
}

function addAdvice(sighting: Sighting): ReportRow {
  const library = findLibrary(sighting.client)
  const isSupported = supportsWorkloadIdentity(library, sighting.version)
  return { ...sighting, ...library, supportsWorkloadIdentity: isSupported }
}
