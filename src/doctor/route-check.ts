/** Checks where the route to the metadata address leads: to this sidecar, to another service, or nowhere. */
import * as z from 'zod/mini'
import { errorMessage } from '../lib/describe-error.ts'
import type { RoutingMode } from '../lib/routing-modes.ts'
import { getLocal } from '../lib/local-http.ts'
import { createProblem } from './problem.ts'
import type { RouteReport } from './report.ts'

interface RouteOptions {
  /** How requests of the app reach the sidecar; undefined: not known. */
  readonly mode: RoutingMode | undefined
  /** The node of the pod; undefined: not known. */
  readonly nodeName?: string | undefined
  /** True if the redirect may exempt the uid of the sidecar, and so of doctor. */
  readonly hasPassThrough: boolean
  /** What the sidecar has on /readyz; undefined if it does not listen. */
  readonly instanceId: string | undefined
  /** The metadata address; only tests have another. */
  readonly origin?: string
}

const METADATA_ORIGIN = 'http://169.254.169.254'
const TIMEOUT_MS = 2000

const OwnReadiness = z.object({ ready: z.boolean(), instanceId: z.string() })

/**
 * Sends `GET /readyz` to 169.254.169.254:80, which only wimds answers with its instance id, and no other
 * metadata service acts on. Sends nothing in mode env, where the route is not needed.
 */
export async function checkRoute(options: RouteOptions): Promise<RouteReport> {
  const { mode, nodeName, hasPassThrough } = options
  if (mode === 'env') {
    return {
      status: 'not_needed',
      detail: 'not needed in mode env, in which applications find the sidecar by variables',
    }
  }
  const { leadsTo, detail } = await findTarget(options)
  if (leadsTo === 'sidecar') return { status: 'ok', leadsTo, detail }
  if (hasPassThrough && leadsTo === 'another_service') {
    return {
      status: 'not_checked',
      leadsTo,
      detail: `${detail}. With pass-through that is right for the uid of the sidecar, under which doctor runs; whether other containers reach the sidecar was not checked`,
    }
  }
  if (mode === undefined) {
    return {
      status: 'not_checked',
      leadsTo,
      detail: `${detail}. Whether that is right depends on the mode, which is not known. Fix: set WIMDS_MODE, or add --mode env if the variables of wimds env lead the application to the sidecar, else the mode of the pod`,
    }
  }
  return {
    status: 'failed',
    leadsTo,
    detail,
    error: createProblem(
      leadsTo === 'nothing' ? 'route_missing' : 'route_to_other_service',
      mode === 'node'
        ? `${detail}: no node agent on ${nodeName ?? 'the node'} has routed this pod`
        : `${detail}, and in mode ${mode} applications call the sidecar by that address`,
      mode === 'node' ? ROUTE_BY_AGENT : ROUTE_BY_INIT_CONTAINER,
    ),
  }
}

const ROUTE_BY_INIT_CONTAINER =
  'run the init container of the redirect before the application (wimds inject and the webhook add it; its log is in kubectl logs POD -c wimds-redirect), or choose mode env'
const ROUTE_BY_AGENT =
  'let the node agent of that node route the pod: wimds doctor --pod NAMESPACE/POD, from your machine, says whether one runs there, and the events of the pod what failed; docs/node-agent.md installs it'

/** Returns where a request to the metadata address arrives. */
async function findTarget({
  instanceId,
  origin = METADATA_ORIGIN,
}: RouteOptions): Promise<Required<Pick<RouteReport, 'leadsTo' | 'detail'>>> {
  try {
    const { status, server, json } = await getLocal(`${origin}/readyz`, {
      headers: { Metadata: 'true' },
      timeoutMs: TIMEOUT_MS,
    })
    const { data } = OwnReadiness.safeParse(json)
    if (data === undefined) {
      const name = server === '' ? '' : `, Server ${JSON.stringify(server.slice(0, 60))}`
      return {
        leadsTo: 'another_service',
        detail: `leads to another metadata service, such as that of the node (it answered ${status}${name})`,
      }
    }
    return data.instanceId === instanceId
      ? { leadsTo: 'sidecar', detail: 'leads to this sidecar' }
      : { leadsTo: 'another_service', detail: 'leads to another instance of wimds' }
  } catch (error) {
    return { leadsTo: 'nothing', detail: `leads nowhere (${errorMessage(error)})` }
  }
}
