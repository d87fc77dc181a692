/** The one place where replies are written. Errors are in `error-reply.ts`. */
import { randomUUID } from 'node:crypto'
import { STATUS_CODES } from 'node:http'
import type { Reply } from '../dialects/dialect.ts'
import { BrokerError } from '../../lib/errors.ts'
import type { PodRequest, ReplyEvent } from './pod.ts'

/** The headers of every reply. The newest clients look for `IMDS` in the real service's name. */
const HEADERS = {
  'Content-Type': 'application/json; charset=utf-8',
  Server: 'IMDS/150.870.65.1854',
}

/** Creates the error of a request whose caller has hung up before the reply. */
export function createAbandonedError(): BrokerError {
  return new BrokerError(
    'request_abandoned',
    'the caller hung up before the reply',
    'let the caller wait for longer; if it waited for Entra ID, find out why that is slow',
  )
}

/**
 * Writes the reply with its length (R5), and reports it to the pod. If its caller has hung up, nothing is written, and
 * `request_abandoned` is reported. Throws, with nothing written, for a status or a header that HTTP does not allow.
 */
export function sendReply(
  { pod, raw, response, startedAt, asked }: PodRequest,
  { status, headers, body }: Reply,
  { protocol, error }: Pick<ReplyEvent, 'protocol' | 'error'>,
): void {
  const abandoned = response.destroyed ? createAbandonedError() : undefined
  if (abandoned === undefined) {
    // The reason is passed, since Node would keep the reason of an earlier reply that failed to be written.
    response.writeHead(status, STATUS_CODES[status] ?? '', {
      ...HEADERS,
      'Content-Length': Buffer.byteLength(body),
      ...headers,
      'x-ms-request-id': randomUUID(),
    })
    response.end(body)
  }
  pod.onReply({
    protocol,
    error: abandoned ?? error,
    asked,
    status: abandoned?.status ?? status,
    durationMs: performance.now() - startedAt,
    headers: raw.headers,
  })
}
