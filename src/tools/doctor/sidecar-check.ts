/** Checks the sidecar on this machine: its port, the route to it, and the requests that it answered with an error. */
import * as z from 'zod/mini'
import type { Config } from '../../broker/config/config.ts'
import { isLoopback, METADATA_ORIGIN } from '../../lib/hosts.ts'
import type { RoutingMode } from '../../lib/sidecar-interface.ts'
import type { Address } from '../../service/parsers.ts'
import { formatLocalAddress, toLocalHost } from '../local-host.ts'
import {
  catchEnd,
  CheckEnd,
  createFinding,
  endUnmade,
  failed,
  type Fault,
  notChecked,
  notNeeded,
  type Outcome,
  passed,
} from './findings.ts'
import { describeRequests } from './requests-check.ts'
import { getLocal, type LocalReply, readStatus, type ReportedStatus } from './status.ts'

/** The body of /readyz on the port for applications, with an id of the process. */
const Readiness = z.object({ ready: z.boolean(), instanceId: z.optional(z.string()) })

/** Sends `GET /readyz` to each address, and reads the status at the admin port. */
export async function checkSidecar({ listen, adminListen, passThrough, mode }: Config) {
  const ports = await Promise.all(listen.map(readPort))
  const status = await catchEnd(() => readAdminPort(adminListen))
  const { problems = [], tokens = [] } = status instanceof CheckEnd ? {} : status
  const broken = ports.find(({ data }) => data?.ready !== true)
  const instanceId = ports.find(({ data }) => data?.instanceId !== undefined)?.data?.instanceId
  const route = await checkRoute({ mode, hasPassThrough: passThrough.length > 0, instanceId })
  const addresses = ports.map(({ address }) => address).join(', ')
  return {
    sidecar:
      broken === undefined
        ? createFinding('sidecar', passed('listens and is ready'), addresses)
        : createFinding('sidecar', failed(explainPort(broken, problems)), broken.address),
    route: createFinding('route', route, '169.254.169.254:80'),
    tokens,
    requests:
      status instanceof CheckEnd
        ? [createFinding('requests', status.outcome)]
        : describeRequests(status),
  }
}

interface Port extends LocalReply<z.infer<typeof Readiness>> {
  readonly address: string
}

async function readPort(listen: Address): Promise<Port> {
  const address = formatLocalAddress(listen)
  return { address, ...(await getLocal(`http://${address}/readyz`, Readiness)) }
}

/** Explains a port of WIMDS_LISTEN without a ready sidecar. */
function explainPort(
  { address, data, status, error }: Port,
  problems: ReportedStatus['problems'],
): Fault {
  if (data !== undefined) {
    const reasons = problems.map(({ summary }) => `; ${summary}`).join('')
    return {
      code: 'sidecar_not_ready',
      problem: `the sidecar on ${address} is not ready${reasons}`,
      fix: 'fix the failed checks below',
    }
  }
  const found = error ?? `another program answered ${status} to /readyz`
  return {
    code: 'sidecar_not_listening',
    problem: `no sidecar listens on ${address}: ${found}`,
    fix: 'run doctor with the settings of the sidecar, in its container (kubectl exec POD -c wimds -- wimds doctor) or from outside (wimds doctor NAMESPACE/POD). If no sidecar runs, start wimds serve; if another program has the port, choose another one (the annotation wimds.io/port). In a container azwi-proxy pass --no-sidecar: it listens on its --proxy-port',
  }
}

/** Reads the status, which is served over loopback only. Ends the check as not made or not needed if there is no status. */
async function readAdminPort(listen: readonly Address[]): Promise<ReportedStatus> {
  const address = listen.find(({ host }) => isLoopback(toLocalHost(host))) ?? listen[0]
  if (address === undefined) {
    throw new CheckEnd(notNeeded('WIMDS_ADMIN_LISTEN is off; the log of the sidecar has them'))
  }
  const url = `http://${formatLocalAddress(address)}/status.json`
  const fix =
    'Fix: run doctor with the WIMDS_ADMIN_LISTEN of the sidecar; if another program has that port, change it with the annotation wimds.io/admin-port or WIMDS_ADMIN_LISTEN'
  return (await readStatus(url, fix)) ?? endUnmade(`${url} answered 404`, fix)
}

interface RouteOptions {
  /** The routing mode of the pod; undefined: not known. */
  readonly mode: RoutingMode | undefined
  /** True if the redirect may exempt the uid of the sidecar, and so of doctor. */
  readonly hasPassThrough: boolean
  /** The instance id of the sidecar; undefined if it does not listen. */
  readonly instanceId: string | undefined
  /** The metadata address and the time limit; only tests have others. */
  readonly origin?: string
  readonly timeoutMs?: number
}

/**
 * Sends `GET /readyz` to 169.254.169.254:80. Only wimds answers it with an instance id, which each process draws at random; for
 * another metadata service the request has no effect. Sends nothing in mode env, where the route is not needed.
 */
export async function checkRoute(options: RouteOptions): Promise<Outcome> {
  const { mode, hasPassThrough, instanceId, origin = METADATA_ORIGIN, timeoutMs = 2000 } = options
  if (mode === 'env') {
    return notNeeded('not needed in mode env, in which applications find the sidecar by variables')
  }
  const request = { headers: { Metadata: 'true' }, timeoutMs }
  const reply = await getLocal(`${origin}/readyz`, Readiness, request)
  if (instanceId !== undefined && reply.data?.instanceId === instanceId) {
    return passed('reaches this sidecar')
  }
  const detail = describeReply(reply)
  const isMissing = reply.error !== undefined
  if (hasPassThrough && !isMissing) {
    return notChecked(
      `it ${detail}. With pass-through that is right for the uid of the sidecar, under which doctor runs. Whether other containers reach the sidecar was not checked`,
    )
  }
  if (mode === undefined) {
    return notChecked(
      `it ${detail}. Whether that is right depends on the mode, which is not known`,
      'Fix: set WIMDS_MODE: env if the application uses the variables of wimds env, otherwise the mode of the pod',
    )
  }
  return failed({
    code: isMissing ? 'route_missing' : 'route_to_other_service',
    problem: `${detail}, but in mode ${mode} applications call the sidecar by that address`,
    fix: 'run the init container wimds-redirect before the application, as wimds inject and the webhook add it, or choose mode env. Its log: kubectl logs POD -c wimds-redirect',
  })
}

/** Returns the end of a sentence that begins with 169.254.169.254:80, for a reply that is not from this sidecar. */
function describeReply({ status, data, error }: LocalReply<z.infer<typeof Readiness>>): string {
  if (error !== undefined) return `gets no answer (${error})`
  if (data?.instanceId !== undefined) return 'reaches another instance of wimds'
  return `reaches another metadata service, such as that of the node (it answered ${status})`
}
