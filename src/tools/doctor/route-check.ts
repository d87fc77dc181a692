/** Checks where the route to the metadata address leads: to this sidecar, to another service, or nowhere. */
import * as z from 'zod/mini'
import { METADATA_ORIGIN } from '../../lib/hosts.ts'
import { getLocal, type LocalReply } from './status.ts'
import type { RoutingMode } from '../../lib/sidecar-interface.ts'
import type { Finding } from './doctor-report.ts'
import { createFinding, failed, notChecked, notNeeded, type Outcome, passed } from './findings.ts'

interface RouteOptions {
  /** How requests of the app reach the sidecar; undefined: not known. */
  readonly mode: RoutingMode | undefined
  /** True if the redirect may exempt the uid of the sidecar, and so of doctor. */
  readonly hasPassThrough: boolean
  /** The state of the sidecar's /readyz; undefined if it does not listen. */
  readonly instanceId: string | undefined
  /** The metadata address and the time limit; only tests have others. */
  readonly origin?: string
  readonly timeoutMs?: number
}

/** Sends nothing in mode env, where the route is not needed. */
export async function checkRoute(options: RouteOptions): Promise<Finding> {
  return createFinding('route', await judgeRoute(options), '169.254.169.254:80')
}

const Readiness = z.object({ instanceId: z.string() })

/**
 * Sends `GET /readyz` to 169.254.169.254:80, which only wimds answers with an instance id, and no other metadata
 * service acts on. Each process draws its id at random.
 */
async function judgeRoute(options: RouteOptions): Promise<Outcome> {
  const { mode, hasPassThrough, instanceId, origin = METADATA_ORIGIN, timeoutMs = 2000 } = options
  if (mode === 'env') {
    return notNeeded('not needed in mode env, in which applications find the sidecar by variables')
  }
  const request = { headers: { Metadata: 'true' }, timeoutMs }
  const reply = await getLocal(`${origin}/readyz`, Readiness, request)
  if (reply.data !== undefined && reply.data.instanceId === instanceId) {
    return passed('reaches this sidecar')
  }
  const detail = describeReply(reply)
  const isMissing = reply.error !== undefined
  if (hasPassThrough && !isMissing) {
    return notChecked(
      `it ${detail}. With pass-through that is right for the uid of the sidecar, under which doctor runs; whether other containers reach the sidecar was not checked`,
    )
  }
  if (mode === undefined) {
    return notChecked(
      `it ${detail}. Whether that is right depends on the mode, which is not known`,
      'Fix: set WIMDS_MODE or --mode: env if the application uses the variables of wimds env, otherwise the mode of the pod',
    )
  }
  return failed({
    code: isMissing ? 'route_missing' : 'route_to_other_service',
    problem: `${detail}, but in mode ${mode} applications call the sidecar by that address`,
    fix: 'run the init container of the redirect before the application (wimds inject and the webhook add it; its log is in kubectl logs POD -c wimds-redirect), or choose mode env',
  })
}

/** Completes "169.254.169.254:80 …" for a reply that is not of this sidecar. */
function describeReply({ status, server = '', data, error }: LocalReply<unknown>): string {
  if (error !== undefined) return `gets no answer (${error})`
  if (data !== undefined) return 'reaches another instance of wimds'
  const name = server === '' ? '' : `, Server ${JSON.stringify(server.slice(0, 60))}`
  return `reaches another metadata service, such as that of the node (it answered ${status}${name})`
}
