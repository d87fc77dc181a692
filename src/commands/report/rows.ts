/** Which workloads still call, by which client library: what both sources of the report give. */
import { familyOf } from '../../telemetry/client-families.ts'
import { supportsWorkloadIdentity } from '../../telemetry/client-inventory.ts'

/** One client library in one version that one workload calls with. */
export interface ReportRow {
  /** `namespace/service account` or `namespace/workload`, else the pod's name. */
  readonly workload: string
  readonly client: string
  readonly title: string
  /** Empty: the client does not say. */
  readonly version: string
  readonly requests: number
  readonly lastSeenAt: string
  /** The version from which the library speaks workload identity; absent: not known. */
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

/** One row for each workload, client and version: replicas are one workload. */
export function rowsOf(sightings: readonly Sighting[]): ReportRow[] {
  const rows = new Map<string, Sighting>()
  for (const sighting of sightings) {
    const { workload, client, version, requests, lastSeenAt } = sighting
    const key = JSON.stringify([workload, client, version])
    const held = rows.get(key)
    rows.set(key, {
      ...sighting,
      requests: requests + (held?.requests ?? 0),
      lastSeenAt: held !== undefined && held.lastSeenAt > lastSeenAt ? held.lastSeenAt : lastSeenAt,
    })
  }
  return [...rows.values()]
    .map(explained)
    .toSorted((a, b) => a.workload.localeCompare(b.workload) || b.requests - a.requests)
}

/** The advice is this version's, whatever version of the sidecar saw the client. */
function explained(sighting: Sighting): ReportRow {
  const family = familyOf(sighting.client)
  const { title, workloadIdentitySince, advice } = family
  const speaks = supportsWorkloadIdentity(family, sighting.version)
  return {
    ...sighting,
    title: family.id === sighting.client ? title : sighting.client,
    ...(workloadIdentitySince !== undefined && { workloadIdentitySince }),
    ...(speaks !== undefined && { supportsWorkloadIdentity: speaks }),
    advice,
  }
}
