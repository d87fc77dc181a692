/** Replies to requests that fail, each in the format that its client understands. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import { MAX_BODY_BYTES } from '../../service/connections.ts'
import type { Reply } from '../dialects/dialect.ts'
import { imds } from '../dialects/imds.ts'
import { BrokerError, toBrokerError } from '../../lib/errors.ts'
import { METADATA_DOCUMENTS, renderDocumentError } from '../metadata/documents.ts'
import { prepareReply, sendReply } from './reply.ts'
import { findDialect, toWireRequest } from './token-route.ts'

/** Sends an error in the format of the dialect or document at the path, and for an unknown path in the format of IMDS. */
export function sendError(
  thrown: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
  pod = request.pod,
): void {
  const error = toHttpError(thrown) ?? toBrokerError(thrown)
  const { url } = request.routeOptions
  const wire = toWireRequest(request)
  const dialect = findDialect(pod.dialects.get(url ?? ''), wire)
  const isDocument = METADATA_DOCUMENTS.some(({ path }) => path === url)
  const rendered =
    dialect === undefined && isDocument
      ? renderDocumentError(error, wire)
      : (dialect ?? imds).renderError(error)
  const prepared = prepareError(rendered, error, dialect?.methods ?? ['GET'])
  const protocol = dialect?.name ?? (isDocument ? 'document' : 'none')
  sendReply(request, reply, prepared, { protocol, error }, pod)
}

/** Returns Fastify's own 4xx errors as a `BrokerError`; undefined for any other error. */
function toHttpError(thrown: unknown): BrokerError | undefined {
  const status = thrown instanceof Error && 'statusCode' in thrown ? thrown.statusCode : undefined
  if (typeof status !== 'number' || status < 400 || status > 499) return undefined
  return status === 413
    ? new BrokerError(
        'request_too_large',
        `The request body is larger than ${MAX_BODY_BYTES} bytes`,
        'send only the parameters of a token request',
      )
    : new BrokerError('request_malformed', 'The request is malformed')
}

/** The header with the error code: clients ignore it, and the bodies of IMDS have no place for it. */
const ERROR_HEADER = 'X-Wimds-Error'

/**
 * The longest Retry-After of a reply, in seconds. Azure's clients sleep for the whole time and log nothing. A caller that
 * returns before Entra ID's own Retry-After ends does no harm: it gets the cached failure.
 */
const MAX_RETRY_AFTER = 10

/**
 * Adds the headers of every error, and escapes all characters of the body that are not ASCII. Messages of Entra ID have some,
 * and old clients read bodies in the charset of their platform.
 */
function prepareError(reply: Reply, error: BrokerError, methods: readonly string[]) {
  const headers: Record<string, string> = { [ERROR_HEADER]: error.code, ...reply.headers }
  if (error.code === 'method_not_allowed') headers['Allow'] = methods.join(', ')
  if (!error.isPermanent) {
    const seconds = Math.ceil((error.retryAfterMs ?? 0) / 1000)
    headers['Retry-After'] = String(Math.min(MAX_RETRY_AFTER, Math.max(1, seconds)))
  }
  return prepareReply({
    ...reply,
    headers,
    body: reply.body.replace(
      /[^\0-\x7f]/g,
      (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
    ),
  })
}
