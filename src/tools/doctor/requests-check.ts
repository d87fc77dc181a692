/** Checks which requests of applications the sidecar answered with an error. */
import * as z from 'zod/mini'
import type { Address } from '../../broker/config/parsers.ts'
import { formatProblem, isOfExchange } from '../../lib/errors.ts'
import { errorMessage } from '../../lib/describe-error.ts'
import { isLoopback } from '../../lib/hosts.ts'
import { toLocalHost } from '../local-host.ts'
import { getStatusDocument } from './local-requests.ts'
import { type StatusDocument, StatusSchema } from '../../broker/telemetry/status-schema.ts'
import { FAILURE_WINDOW_MS } from '../../broker/tokens/cache-entry.ts'
import { firstItems } from '../../lib/printable.ts'
import type { Finding } from './doctor-report.ts'
import { createFinding, notChecked, passed, reportedFailure } from './findings.ts'
import { formatLocalAddress } from './sidecar-check.ts'

/** The parts of a status document that are read; the others may have the form of another version. */
const RequestsSchema = z.pick(StatusSchema, {
  generatedAt: true,
  startedAt: true,
  assertions: true,
  tokens: true,
  failedRequests: true,
})

type RequestsDocument = Pick<StatusDocument, keyof typeof RequestsSchema.shape>

/** Reads `/status.json` on an admin port, whose check is `admin`. */
export async function checkRequests(
  admin: Finding,
  adminListen: readonly Address[],
): Promise<Finding[]> {
  // The document is served over loopback only.
  const address = adminListen.find(({ host }) => isLoopback(toLocalHost(host))) ?? adminListen[0]
  if (admin.status === 'failed') return leaveOut('the admin port does not answer')
  if (admin.status !== 'ok' || address === undefined) {
    const reason = `${admin.reason}; the log of the sidecar has them`
    return [createFinding('requests', { status: admin.status, reason, details: [] })]
  }
  const url = `http://${formatLocalAddress(address)}/status.json`
  try {
    const { status, data } = await getStatusDocument(url, RequestsSchema)
    return data === undefined ? leaveOut(`${url} answered ${status}`) : describeRequests(data)
  } catch (error) {
    return leaveOut(`${url} does not answer (${errorMessage(error)})`)
  }
}

function leaveOut(reason: string): Finding[] {
  return [createFinding('requests', notChecked(reason))]
}

/**
 * Returns the requests that the sidecar answered with an error: a failure for each code that needs a fix, and a
 * warning for each other.
 */
export function describeRequests(document: RequestsDocument): Finding[] {
  const { failedRequests, startedAt } = document
  const { broken = [], harmless = [] } = Object.groupBy(failedRequests, (each) =>
    needsFix(each, document) ? 'broken' : 'harmless',
  )
  const failures = groupByCode(broken).map(({ clients, lastAt, failure }) => {
    const detail = `failed since ${startedAt}, the last at ${lastAt}`
    return createFinding('requests', reportedFailure(failure, detail), clients)
  })
  const warnings = groupByCode(harmless).map(({ clients, lastAt, failure: { code, fix } }) =>
    formatProblem({ problem: `${clients}, the last at ${lastAt}: ${code}`, fix }),
  )
  if (failures.length > 0 && warnings.length === 0) return failures
  const kind = failedRequests.length === 0 ? 'none failed' : 'no other failed that needs a fix'
  const others = { ...passed(`${kind} since ${startedAt}`), warnings }
  return [...failures, createFinding('requests', others)]
}

/** Joins the requests with one code; the latest comes first and has the message. */
function groupByCode(requests: readonly FailedRequests[]) {
  const groups = Map.groupBy(requests, ({ failure }) => failure.code)
  return [...groups.values()].flatMap((group) => {
    const [latest] = group
    if (latest === undefined) return []
    const { lastAt, failure } = latest
    const clients = group.map((each) => `${each.count} of ${formatClient(each)}`)
    return { clients: firstItems(clients).join(', '), lastAt, failure }
  })
}

type FailedRequests = RequestsDocument['failedRequests'][number]

/** Returns library and version, as in logs. */
function formatClient({ client, clientVersion }: FailedRequests): string {
  const name = client === 'none' ? 'a client without User-Agent' : client
  return clientVersion === '' ? name : `${name}/${clientVersion}`
}

/** SDKs send such requests to detect IMDS (R6), or ask for what only the real service has, and do without it (R7). */
const HARMLESS = new Set([
  'metadata_header_missing',
  'api_version_invalid',
  'not_found',
  'imdsv2_not_supported',
])

function needsFix({ lastAt, failure: { code } }: FailedRequests, document: RequestsDocument) {
  const { generatedAt, tokens, assertions } = document
  const ageMs = Date.parse(generatedAt) - Date.parse(lastAt)
  // Earlier failures are history: the document has a token that fails as long.
  if (ageMs > FAILURE_WINDOW_MS || HARMLESS.has(code)) return false
  return (
    !isOfExchange(code) || [...tokens, ...assertions].some(({ failure }) => failure?.code === code)
  )
}
