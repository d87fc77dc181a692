/** Checks where the route to the metadata address leads: to this sidecar, to another service, or nowhere. */
import { findRouteTarget } from '../../lib/metadata-route.ts'
import type { RoutingMode } from '../../lib/sidecar-interface.ts'
import type { Finding } from './doctor-report.ts'
import { createFinding, failed, notChecked, notNeeded, type Outcome, passed } from './findings.ts'

interface RouteOptions {
  /** How requests of the app reach the sidecar; undefined: not known. */
  readonly mode: RoutingMode | undefined
  /** The node of the pod; undefined: not known. */
  readonly nodeName?: string | undefined
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
  const { mode, nodeName, hasPassThrough } = options
  if (mode === 'env') {
    return notNeeded('not needed in mode env, in which applications find the sidecar by variables')
  }
  const { leadsTo, detail } = await findRouteTarget({ ...options, timeoutMs: TIMEOUT_MS })
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
    problem:
      mode === 'node'
        ? `${detail}: no node agent on ${nodeName ?? 'the node'} has routed this pod`
        : `${detail}, and in mode ${mode} applications call the sidecar by that address`,
    fix: mode === 'node' ? ROUTE_BY_AGENT : ROUTE_BY_INIT_CONTAINER,
  })
}

const ROUTE_BY_INIT_CONTAINER =
  'run the init container of the redirect before the application (wimds inject and the webhook add it; its log is in kubectl logs POD -c wimds-redirect), or choose mode env'
const ROUTE_BY_AGENT =
  'let the node agent of that node route the pod: wimds doctor --pod NAMESPACE/POD, from your machine, says whether one runs there, and the events of the pod what failed; docs/node-agent.md installs it'
