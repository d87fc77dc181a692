/** Checks that the sidecar on this machine listens and is ready. */
import * as z from 'zod/mini'
import { formatLocalAddress } from '../local-host.ts'
import { getLocal, type LocalReply } from './local-requests.ts'
import type { Address } from '../../service/parsers.ts'
import type { Finding } from './doctor-report.ts'
import { createFinding, failed, type Fault, notChecked, notNeeded, passed } from './findings.ts'

/** The body of /readyz, of both ports. */
const Readiness = z.object({
  ready: z.boolean(),
  /** The id of the instance, in a reply on the port for applications. */
  instanceId: z.optional(z.string()),
  /** The reasons why the sidecar is not ready, in a reply on the admin port. */
  reasons: z.optional(z.array(z.string())),
})

/** Sends `GET /readyz` to each address of WIMDS_LISTEN and of WIMDS_ADMIN_LISTEN. */
export async function checkSidecar(listen: readonly Address[], adminListen: readonly Address[]) {
  const [ports, adminPorts] = await Promise.all([readPorts(listen), readPorts(adminListen)])
  const sidecars = ports.flatMap(({ data }) => data ?? [])
  const broken = ports.find(({ data }) => data?.ready !== true)
  const reasons = adminPorts.flatMap(({ data }) => data?.reasons ?? [])
  return {
    sidecar:
      broken === undefined
        ? createFinding('sidecar', passed('listens and is ready'), listAddresses(ports))
        : createFinding('sidecar', failed(explainPort(broken, reasons)), broken.address),
    admin: checkAdminPorts(adminPorts, sidecars.length > 0),
    /** Identifies the process on /readyz; undefined without a sidecar. */
    instanceId: sidecars.find(({ instanceId }) => instanceId !== undefined)?.instanceId,
  }
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
function explainPort({ address, data: readiness, status, error }: Port, reasons: string[]): Fault {
  if (readiness !== undefined) {
    const reason = reasons.length === 0 ? '' : `: ${reasons.join('; ')}`
    return {
      code: 'sidecar_not_ready',
      problem: `the sidecar on ${address} is not ready${reason}`,
      fix: 'fix the failed checks below',
    }
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

function checkAdminPorts(ports: readonly Port[], isListening: boolean): Finding {
  if (ports.length === 0) {
    return createFinding('admin_port', notNeeded('WIMDS_ADMIN_LISTEN is off'))
  }
  if (!isListening) return createFinding('admin_port', notChecked('the sidecar does not listen'))
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
