/** The telemetry of replies: to which clients, the audit trail of tokens, and the requests that failed. */
import { type ErrorCode, isOfExchange, PROBE_ERRORS } from '../../lib/errors.ts'
import type { ReplyEvent, ServedToken } from '../server/reply.ts'
import type { AccessToken } from '../tokens/token.ts'
import { createClientInventory, type SeenClient } from './clients.ts'
import { describeAsked, describeFailure, describeRequest, errorFields } from './describe.ts'
import type { Logger } from './logger.ts'
import type { FailedRequest } from './status.ts'

interface RepliesOptions {
  readonly log: Logger
  /** Log each token that a client library gets for the first time. */
  readonly auditsTokens: boolean
  /** The monotonic clock. */
  readonly now: () => number
  readonly countReply: (event: ReplyEvent, client: string) => void
  /** Called for each reply with an error. Those of the same kind differ only in texts that callers or Entra ID choose. */
  readonly onRejected: (kind: string, request: FailedRequest) => void
}

/** Creates the telemetry of replies. */
export function createReplies(options: RepliesOptions) {
  const { log, auditsTokens, now, countReply, onRejected } = options
  const { findClient, clients } = createClientInventory()
  const isFirstUse = createFirstUseFilter()
  return {
    clients,
    onReply: (event: ReplyEvent) => {
      const { protocol, status, error, headers, served, asked } = event
      // A readiness probe on the main port is no client's request.
      if (protocol === 'none' && error === undefined) return
      const client = findClient(headers)
      client.requests += 1
      client.lastSeenAt = now()
      countReply(event, client.library)
      if (served !== undefined && auditsTokens && isFirstUse(served, client)) {
        log.info('token_served', {
          ...describeRequest(served.request),
          protocol,
          client: formatClient(client),
          correlationId: served.request.correlationId,
          ...served.token.audit,
        })
      }
      if (error === undefined) return
      const described = asked && describeAsked(asked)
      const failure = describeFailure(error)
      // Only the problem has the object id or resource id of an unknown identity.
      const unknown = asked && asked.identity === undefined ? error.problem : undefined
      onRejected(JSON.stringify([protocol, client.library, error.code, described, unknown]), {
        protocol,
        client: client.library,
        clientVersion: client.version,
        ...described,
        failure,
      })
      log[chooseRejectionLevel(error.code)]('request_rejected', {
        protocol,
        status,
        client: formatClient(client),
        ...described,
        ...errorFields(error),
      })
    },
  }
}

function formatClient({ library, version }: SeenClient): string {
  return version === '' ? library : `${library}/${version}`
}

/** Returns the log level of a rejection. */
export function chooseRejectionLevel(code: ErrorCode): keyof Logger {
  if (code === 'internal') return 'error'
  if (PROBE_ERRORS.has(code)) return 'debug'
  // Exchanges and projected tokens that fail are logged when they do.
  return isOfExchange(code) ? 'info' : 'warn'
}

/** Creates a filter that returns true once for each pair of token and client. */
function createFirstUseFilter(): (served: ServedToken, client: SeenClient) => boolean {
  const clientsByToken = new WeakMap<AccessToken, Set<SeenClient>>()
  return ({ token }, client) => {
    const clients = clientsByToken.get(token) ?? new Set()
    clientsByToken.set(token, clients)
    return clients.size < clients.add(client).size
  }
}
