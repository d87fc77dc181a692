/** Checks the sidecar on this machine: its port, the route to it, and the requests that it answered with an error. */
import * as z from 'zod/mini'
import type { Config } from '../../broker/config/config.ts'
import { isLoopback } from '../../lib/hosts.ts'
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
  notNeeded,
  passed,
} from './findings.ts'
import { describeRequests } from './requests-check.ts'
import { checkRoute } from './route-check.ts'
import { getLocal, type LocalReply, readStatus, type ReportedStatus } from './status.ts'

/** The body of /readyz on the port for applications, with an id of the process. */
const Readiness = z.object({ ready: z.boolean(), instanceId: z.optional(z.string()) })

/** Sends `GET /readyz` to each address, and reads the status at the admin port. */
export async function checkSidecar(
  { listen, adminListen, passThrough }: Pick<Config, 'listen' | 'adminListen' | 'passThrough'>,
  mode: RoutingMode | undefined,
) {
  const ports = await Promise.all(listen.map(readPort))
  const status = await catchEnd(() => readAdminPort(adminListen))
  const problems = status instanceof CheckEnd ? [] : status.problems
  const broken = ports.find(({ data }) => data?.ready !== true)
  const instanceId = ports.find(({ data }) => data?.instanceId !== undefined)?.data?.instanceId
  const addresses = ports.map(({ address }) => address).join(', ')
  return {
    sidecar:
      broken === undefined
        ? createFinding('sidecar', passed('listens and is ready'), addresses)
        : createFinding('sidecar', failed(explainPort(broken, problems)), broken.address),
    route: await checkRoute({ mode, hasPassThrough: passThrough.length > 0, instanceId }),
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
    const problem = `the sidecar on ${address} is not ready: ${problems.map(({ summary }) => summary).join('; ')}`
    return { code: 'sidecar_not_ready', problem, fix: 'fix the failed checks below' }
  }
  if (status !== undefined) {
    return {
      code: 'listen_failed',
      problem: `another program listens on ${address}: it answered ${status} to /readyz, so wimds cannot open the port`,
      fix: 'stop that program, or give the sidecar another port (the annotation wimds.io/port, or WIMDS_LISTEN); run doctor with the WIMDS_LISTEN of the sidecar',
    }
  }
  return {
    code: 'sidecar_not_listening',
    problem: `no sidecar listens on ${address} (${error})`,
    fix: 'run doctor in the container of the sidecar (kubectl exec POD -c wimds -- wimds doctor, or wimds doctor --pod NAMESPACE/POD from outside), or start wimds serve; --no-sidecar leaves out this check',
  }
}

/** Reads the status, which is served over loopback only. Ends the check as not made or not needed if there is none. */
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
