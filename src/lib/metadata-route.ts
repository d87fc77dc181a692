/** Finds out which service a request to the metadata address reaches. */
import { errorMessage } from './describe-error.ts'
import { METADATA_ORIGIN } from './hosts.ts'
import { getLocal } from './http.ts'

interface RouteOptions {
  /** The state of the sidecar's /readyz; undefined if it does not listen. */
  readonly instanceId: string | undefined
  readonly timeoutMs: number
  /** The metadata address; only tests have another. */
  readonly origin?: string
}

export interface RouteTarget {
  readonly leadsTo: 'sidecar' | 'another_service' | 'nothing'
  /** Completes "169.254.169.254:80 …". */
  readonly detail: string
}

/**
 * Sends `GET /readyz` to 169.254.169.254:80, which only wimds answers with an instance id, and no other metadata
 * service acts on. Each process draws its id at random.
 */
export async function findRouteTarget({
  instanceId,
  timeoutMs,
  origin = METADATA_ORIGIN,
}: RouteOptions): Promise<RouteTarget> {
  try {
    const headers = { Metadata: 'true' }
    const { status, server, json } = await getLocal(`${origin}/readyz`, { headers, timeoutMs })
    const found = findInstanceId(json)
    if (found === undefined) {
      const name = server === '' ? '' : `, Server ${JSON.stringify(server.slice(0, 60))}`
      return {
        leadsTo: 'another_service',
        detail: `reaches another metadata service, such as that of the node (it answered ${status}${name})`,
      }
    }
    return found === instanceId
      ? { leadsTo: 'sidecar', detail: 'reaches this sidecar' }
      : { leadsTo: 'another_service', detail: 'reaches another instance of wimds' }
  } catch (error) {
    return { leadsTo: 'nothing', detail: `gets no answer (${errorMessage(error)})` }
  }
}

/** Returns the instance id in the body of /readyz; undefined in that of another program. */
export function findInstanceId(json: unknown): string | undefined {
  const isObject = typeof json === 'object' && json !== null
  return isObject && 'instanceId' in json && typeof json.instanceId === 'string'
    ? json.instanceId
    : undefined
}
