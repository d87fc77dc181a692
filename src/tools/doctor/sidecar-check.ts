/** Checks the sidecar on this machine: its ports, the route to it, and the requests that it answered with an error. */
import * as z from 'zod/mini'
import type { Config } from '../../broker/config/config.ts'
import { isLoopback } from '../../lib/hosts.ts'
import type { RoutingMode } from '../../lib/sidecar-interface.ts'
import type { Address } from '../../service/parsers.ts'
import { formatLocalAddress, toLocalHost } from '../local-host.ts'
import type { Finding } from './doctor-report.ts'
import {
  catchEnd,
  CheckEnd,
  createFinding,
  endUnmade,
  failed,
  type Fault,
  notChecked,
  notNeeded,
  passed,
} from './findings.ts'
import { describeRequests } from './requests-check.ts'
import { checkRoute } from './route-check.ts'
import { getLocal, type LocalReply, readStatus } from './status.ts'

/** The body of /readyz: on the port for applications with an id of the process, on the admin port with reasons. */
const Readiness = z.object({
  ready: z.boolean(),
  instanceId: z.optional(z.string()),
  reasons: z.optional(z.array(z.string())),
})

/** Sends `GET /readyz` to each address, and reads the status at the admin port. */
export async function checkSidecar(
  { listen, adminListen, passThrough }: Pick<Config, 'listen' | 'adminListen' | 'passThrough'>,
  mode: RoutingMode | undefined,
): Promise<Finding[]> {
  const [ports, adminPorts] = await Promise.all([readPorts(listen), readPorts(adminListen)])
  const broken = ports.find(({ data }) => data?.ready !== true)
  const reasons = adminPorts.flatMap(({ data }) => data?.reasons ?? [])
  const instanceId = ports.find(({ data }) => data?.instanceId !== undefined)?.data?.instanceId
  const admin = checkAdminPorts(adminPorts, ports)
  return [
    broken === undefined
      ? createFinding('sidecar', passed('listens and is ready'), listAddresses(ports))
      : createFinding('sidecar', failed(explainPort(broken, reasons)), broken.address),
    admin,
    await checkRoute({ mode, hasPassThrough: passThrough.length > 0, instanceId }),
    ...(await checkRequests(admin, adminListen)),
  ]
}

interface Port extends LocalReply<z.infer<typeof Readiness>> {
  readonly address: string
}

function readPorts(addresses: readonly Address[]): Promise<Port[]> {
  return Promise.all(
    addresses.map(async (each) => {
      const address = formatLocalAddress(each)
      return { address, ...(await getLocal(`http://${address}/readyz`, Readiness)) }
    }),
  )
}

/** Explains a port of WIMDS_LISTEN without a ready sidecar. */
function explainPort({ address, data, status, error }: Port, reasons: readonly string[]): Fault {
  if (data !== undefined) {
    const problem = `the sidecar on ${address} is not ready: ${reasons.join('; ')}`
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

function checkAdminPorts(ports: readonly Port[], sidecars: readonly Port[]): Finding {
  if (ports.length === 0) {
    return createFinding('admin_port', notNeeded('WIMDS_ADMIN_LISTEN is off'))
  }
  if (sidecars.every(({ data }) => data === undefined)) {
    return createFinding('admin_port', notChecked('the sidecar does not listen'))
  }
  const broken = ports.find(({ data }) => data?.reasons === undefined)
  if (broken === undefined) {
    return createFinding('admin_port', passed('answers'), listAddresses(ports))
  }
  const { address, status, error } = broken
  const reason = status === undefined ? error : `another program answered ${status}`
  const fault = {
    code: 'admin_not_listening',
    problem: `the admin port ${address} does not answer (${reason}), so Prometheus cannot scrape it`,
    fix: 'run doctor with the WIMDS_ADMIN_LISTEN of the sidecar; if the port is that of another program, change it with the annotation wimds.io/admin-port or WIMDS_ADMIN_LISTEN',
  } as const
  return createFinding('admin_port', failed(fault), address)
}

function listAddresses(ports: readonly Port[]): string {
  return ports.map(({ address }) => address).join(', ')
}

/** Reads the status at an admin port, whose check is `admin`. */
async function checkRequests(admin: Finding, adminListen: readonly Address[]): Promise<Finding[]> {
  if (admin.status === 'not_needed') {
    const reason = 'WIMDS_ADMIN_LISTEN is off; the log of the sidecar has them'
    return [createFinding('requests', notNeeded(reason))]
  }
  const status = await catchEnd(async () => {
    if (admin.status !== 'ok') return endUnmade(admin.reason ?? 'the admin port does not answer')
    // The document is served over loopback only.
    const address = adminListen.find(({ host }) => isLoopback(toLocalHost(host))) ?? adminListen[0]
    const url = `http://${address && formatLocalAddress(address)}/status.json`
    return (await readStatus(url)) ?? endUnmade(`${url} answered 404`)
  })
  return status instanceof CheckEnd
    ? [createFinding('requests', status.outcome)]
    : describeRequests(status)
}
