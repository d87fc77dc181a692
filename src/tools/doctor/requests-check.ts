/** Checks which requests of applications the sidecar answered with an error. */
import { formatProblem, isOfExchange, PROBE_ERRORS } from '../../lib/errors.ts'
import type { ReportedStatus } from './status.ts'
import { FAILURE_WINDOW_MS } from '../../broker/tokens/cache-entry.ts'
import { firstItems } from '../../lib/printable.ts'
import { createCredentialCommands } from './federated-credential-commands.ts'
import type { Finding } from './doctor-report.ts'
import { createFinding, passed, reportedFailure } from './findings.ts'

/**
 * Returns the requests that the sidecar answered with an error: a failure for each identity, resource and code that
 * needs a fix, and a warning for each other.
 */
export function describeRequests(document: ReportedStatus): Finding[] {
  const { failedRequests, startedAt } = document
  const { broken = [], harmless = [] } = Object.groupBy(failedRequests, (each) =>
    needsFix(each, document) ? 'broken' : 'harmless',
  )
  const failures = groupRequests(broken).map(({ clients, latest, target }) => {
    const { lastAt, failure, clientId, identity: name = clientId } = latest
    const detail = `${clients} failed since ${startedAt}, the last at ${lastAt}`
    const commands =
      clientId === undefined || name === undefined
        ? []
        : createCredentialCommands(failure.code, { name, clientId }, document)
    return createFinding('requests', { ...reportedFailure(failure, detail), commands }, target)
  })
  const warnings = groupRequests(harmless).map(({ clients, latest, target }) => {
    const { lastAt, failure } = latest
    const subject = target === undefined ? clients : `${target}: ${clients}`
    const problem = `${subject}, the last at ${lastAt}: ${failure.code}`
    return formatProblem({ problem, fix: failure.fix })
  })
  if (failures.length > 0 && warnings.length === 0) return failures
  const others = { ...passed(`none needs a fix since ${startedAt}`), warnings }
  const subject = failures.length === 0 ? undefined : 'others'
  return [...failures, createFinding('requests', others, subject)]
}

/**
 * Groups the requests by identity, resource and code. The latest request of a group, which comes first, has its message.
 * The object id or resource id of an unknown identity is only in the message, which tells such identities apart.
 */
function groupRequests(requests: readonly FailedRequests[]) {
  const groups = Map.groupBy(requests, ({ failure, clientId, resource }) => {
    const { code, message } = failure
    return JSON.stringify([code, clientId ?? (resource && message), resource])
  })
  return [...groups.values()].flatMap((group) => {
    const [latest] = group
    if (latest === undefined) return []
    const clients = group.map((each) => `${each.count} of ${formatClient(each)}`)
    return { clients: firstItems(clients).join(', '), latest, target: formatTarget(latest) }
  })
}

/** Returns `IDENTITY (client id ID) → RESOURCE`; undefined for a request that could not be parsed. */
function formatTarget({ identity, clientId, resource }: FailedRequests): string | undefined {
  if (resource === undefined) return undefined
  if (clientId === undefined) return resource
  const id = `client id ${clientId}`
  const isNamed = identity !== undefined && identity !== clientId
  return `${isNamed ? `${identity} (${id})` : id} → ${resource}`
}

type FailedRequests = ReportedStatus['failedRequests'][number]

/** Returns library and version, as in logs. */
function formatClient({ client, clientVersion }: FailedRequests): string {
  const name = client === 'none' ? 'a client without User-Agent' : client
  return clientVersion === '' ? name : `${name}/${clientVersion}`
}

function needsFix(request: FailedRequests, document: ReportedStatus): boolean {
  const { lastAt, clientId, resource, failure } = request
  const { generatedAt, tokens, assertions } = document
  const { code } = failure
  const ageMs = Date.parse(generatedAt) - Date.parse(lastAt)
  // An older failure is over: a token that still fails is in the document for as long.
  if (ageMs > FAILURE_WINDOW_MS || PROBE_ERRORS.has(code)) return false
  if (!isOfExchange(code) || assertions.some((each) => each.failure?.code === code)) return true
  return tokens.some(
    (token) =>
      token.failure?.code === code && clientId === token.clientId && resource === token.resource,
  )
}
