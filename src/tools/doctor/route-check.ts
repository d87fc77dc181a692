/** Checks where the route to the metadata address leads: to this sidecar, to another service, or nowhere. */
import * as z from 'zod/mini'
import { METADATA_ORIGIN } from '../../lib/hosts.ts'
import { getLocal } from './local-requests.ts'
import type { SidecarMode } from '../../lib/sidecar-interface.ts'
import type { Finding } from './doctor-report.ts'
import { createFinding, failed, notChecked, notNeeded, type Outcome, passed } from './findings.ts'

interface RouteOptions {
  /** How requests of the app reach the sidecar; undefined: not known. */
  readonly mode: SidecarMode | undefined
  /** True if the redirect may exempt the uid of the sidecar, and so of doctor. */
  readonly hasPassThrough: boolean
  /** The state of the sidecar's /readyz; undefined if it does not listen. */
  readonly instanceId: string | undefined
  /** The metadata address; only tests have another. */
  readonly origin?: string
}

const TIMEOUT_MS = 2000

/** Sends nothing in mode env, where the route is not needed. */
export async function checkRoute(options: RouteOptions): Promise<Finding> {
  return createFinding('route', await findRoute(options), '169.254.169.254:80')
}

async function findRoute(options: RouteOptions): Promise<Outcome> {
  const { mode, hasPassThrough } = options
  if (mode === 'env') {
    return notNeeded('not needed in mode env, in which applications find the sidecar by variables')
  }
  const { leadsTo, detail } = await findRouteTarget(options)
  if (leadsTo === 'sidecar') return passed(detail)
  if (hasPassThrough && leadsTo === 'another_service') {
    return notChecked(
      `it ${detail}. With pass-through that is right for the uid of the sidecar, under which doctor runs; whether other containers reach the sidecar was not checked`,
    )
  }
  if (mode === undefined) {
    return notChecked(
      `it ${detail}. Whether that is right depends on the mode, which is not known`,
      'Fix: set WIMDS_MODE, or add --mode env if the application uses the variables of wimds env, or else the mode of the pod',
    )
  }
  return failed({
    code: leadsTo === 'nothing' ? 'route_missing' : 'route_to_other_service',
    problem: `${detail}, and in mode ${mode} applications call the sidecar by that address`,
    fix: 'run the init container of the redirect before the application (wimds inject and the webhook add it; its log is in kubectl logs POD -c wimds-redirect), or choose mode env',
  })
}

interface RouteTarget {
  readonly leadsTo: 'sidecar' | 'another_service' | 'nothing'
  /** Completes "169.254.169.254:80 …". */
  readonly detail: string
}

const Readiness = z.object({ instanceId: z.string() })

/**
 * Sends `GET /readyz` to 169.254.169.254:80, which only wimds answers with an instance id, and no other metadata
 * service acts on. Each process draws its id at random.
 */
async function findRouteTarget({
  instanceId,
  origin = METADATA_ORIGIN,
}: RouteOptions): Promise<RouteTarget> {
  const options = { headers: { Metadata: 'true' }, timeoutMs: TIMEOUT_MS }
  const {
    status,
    server = '',
    data,
    error,
  } = await getLocal(`${origin}/readyz`, Readiness, options)
  if (error !== undefined) return { leadsTo: 'nothing', detail: `gets no answer (${error})` }
  if (data === undefined) {
    const name = server === '' ? '' : `, Server ${JSON.stringify(server.slice(0, 60))}`
    return {
      leadsTo: 'another_service',
      detail: `reaches another metadata service, such as that of the node (it answered ${status}${name})`,
    }
  }
  return data.instanceId === instanceId
    ? { leadsTo: 'sidecar', detail: 'reaches this sidecar' }
    : { leadsTo: 'another_service', detail: 'reaches another instance of wimds' }
}
