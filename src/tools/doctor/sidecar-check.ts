/** Checks that the sidecar on this machine listens and is ready. */
import * as z from 'zod/mini'
import type { Address } from '../../sidecar/config/parsers.ts'
import { errorMessage } from '../../lib/describe-error.ts'
import { formatUrlHost, toLocalHost } from '../../lib/hosts.ts'
import { scrubAndTruncate } from '../../lib/secret.ts'
import { getLocal } from '../../lib/http.ts'
import type { Failure, Finding } from './doctor-report.ts'
import { createFailure } from './failure.ts'
import { failed, notChecked, notNeeded, passed } from './findings.ts'

interface SidecarCheck {
  readonly sidecar: Finding
  readonly admin: Finding
  /** Identifies the process on /readyz; undefined without a sidecar. */
  readonly instanceId: string | undefined
}

const TIMEOUT_MS = 5000
const MAX_REASON = 300

const Readiness = z.object({ ready: z.boolean(), instanceId: z.optional(z.string()) })
const AdminReadiness = z.object({ ready: z.boolean(), reasons: z.array(z.string()) })

/** Sends `GET /readyz` to each address of WIMDS_LISTEN and of WIMDS_ADMIN_LISTEN. */
export async function checkSidecar(
  listen: readonly Address[],
  adminListen: readonly Address[],
): Promise<SidecarCheck> {
  const addresses = listen.map(formatLocalAddress)
  const checks = await Promise.all(addresses.map(checkMetadataPort))
  const broken = checks.find(({ failure, isReady }) => failure !== undefined || isReady === false)
  const instanceId = checks.find((check) => check.instanceId !== undefined)?.instanceId
  const isListening = checks.some(({ isReady }) => isReady !== undefined)
  const admin = await checkAdminPorts(adminListen, isListening)
  const failure = broken?.isReady === false ? createNotReadyFailure(broken, admin) : broken?.failure
  const sidecar =
    failure === undefined ? passed('sidecar', 'listens and is ready') : failed('sidecar', failure)
  return {
    sidecar: { ...sidecar, subject: broken?.address ?? addresses.join(', ') },
    admin: admin.finding,
    instanceId,
  }
}

interface PortCheck {
  readonly address: string
  readonly failure?: Failure
  readonly instanceId?: string | undefined
  readonly isReady?: boolean
}

async function checkMetadataPort(address: string): Promise<PortCheck> {
  try {
    const { status, json } = await getLocal(`http://${address}/readyz`, { timeoutMs: TIMEOUT_MS })
    const { data } = Readiness.safeParse(json)
    if (data === undefined) return { address, failure: createTakenFailure(address, status) }
    const { ready: isReady, instanceId } = data
    return { address, isReady, instanceId }
  } catch (error) {
    return {
      address,
      failure: createFailure(
        'sidecar_not_listening',
        `no sidecar listens on ${address} (${errorMessage(error)})`,
        'run doctor in the container of the sidecar (kubectl exec POD -c wimds -- wimds doctor, or wimds doctor --pod NAMESPACE/POD from outside), or start wimds serve; --no-sidecar leaves out this check',
      ),
    }
  }
}

function createTakenFailure(address: string, status: number): Failure {
  return createFailure(
    'listen_failed',
    `another program listens on ${address}: it answered ${status} to /readyz, and wimds cannot open the port`,
    'stop that program, or give the sidecar another port (the annotation wimds.io/port, or WIMDS_LISTEN); run doctor with the WIMDS_LISTEN of the sidecar',
  )
}

interface AdminCheck {
  readonly finding: Finding
  /** Why the sidecar is not ready. */
  readonly reasons: readonly string[]
}

async function checkAdminPorts(
  adminListen: readonly Address[],
  isListening: boolean,
): Promise<AdminCheck> {
  if (adminListen.length === 0) {
    return { finding: notNeeded('admin_port', 'WIMDS_ADMIN_LISTEN is off'), reasons: [] }
  }
  if (!isListening) {
    return { finding: notChecked('admin_port', 'the sidecar does not listen'), reasons: [] }
  }
  const addresses = adminListen.map(formatLocalAddress)
  const checks = await Promise.all(addresses.map(checkAdminPort))
  return (
    checks.find(({ finding }) => finding.status !== 'ok') ?? {
      finding: { ...passed('admin_port', 'answers'), subject: addresses.join(', ') },
      reasons: checks.flatMap(({ reasons }) => reasons),
    }
  )
}

async function checkAdminPort(address: string): Promise<AdminCheck> {
  const fail = (reason: string): AdminCheck => {
    const failure = createFailure(
      'admin_not_listening',
      `the admin port ${address} does not answer (${reason}), so Prometheus cannot scrape it`,
      'run doctor with the WIMDS_ADMIN_LISTEN of the sidecar; if the port is that of another program, change it with the annotation wimds.io/admin-port or WIMDS_ADMIN_LISTEN',
    )
    return { finding: { ...failed('admin_port', failure), subject: address }, reasons: [] }
  }
  try {
    const { status, json } = await getLocal(`http://${address}/readyz`, { timeoutMs: TIMEOUT_MS })
    const { data } = AdminReadiness.safeParse(json)
    if (data === undefined) return fail(`another program answered ${status}`)
    return { finding: passed('admin_port', 'answers'), reasons: data.reasons }
  } catch (error) {
    return fail(errorMessage(error))
  }
}

function createNotReadyFailure({ address }: PortCheck, { reasons }: AdminCheck): Failure {
  const reason = reasons.length === 0 ? '' : `: ${scrubAndTruncate(reasons.join('; '), MAX_REASON)}`
  return createFailure(
    'sidecar_not_ready',
    `the sidecar on ${address} is not ready${reason}`,
    'fix the failed checks below',
  )
}

/** Returns the address by which this machine reaches a listener. */
export function formatLocalAddress({ host, port }: Address): string {
  return `${formatUrlHost(toLocalHost(host))}:${port}`
}
