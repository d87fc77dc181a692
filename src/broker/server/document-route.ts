/** The routes of the instance's documents, and of the paths that are forwarded to the real service. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Reply } from '../dialects/dialect.ts'
import { BrokerError } from '../../lib/errors.ts'
import { METADATA_DOCUMENTS } from '../metadata/documents.ts'
import { prepareReply, sendReply } from './reply.ts'
import { toWireRequest } from './token-route.ts'

type DocumentRequest = FastifyRequest<{ Params: { '*'?: string } }>

/** Adds the documents, and forwards the paths of the pass-through. */
export function addDocuments(app: FastifyInstance): void {
  app.setNotFoundHandler(
    forwardOr(() => {
      throw new BrokerError('not_found', 'Not found')
    }),
  )
  for (const { path, answer } of METADATA_DOCUMENTS) {
    app.get(
      path,
      forwardOr((request) =>
        answer(toWireRequest(request), {
          rest: request.params['*'] ?? '',
          tenantId: request.pod.identities.tenantId,
          instance: request.pod.instance,
        }),
      ),
    )
  }
}

/** Creates a handler that sends the real service's reply, or the reply of `answer` if the path is not forwarded. */
function forwardOr(answer: (request: DocumentRequest) => Reply) {
  return async (request: DocumentRequest, reply: FastifyReply): Promise<void> => {
    const forwarded = await request.pod.passThrough(request.raw)
    const protocol = forwarded === undefined ? 'document' : 'pass-through'
    sendReply(request, reply, prepareReply(forwarded ?? answer(request)), { protocol })
  }
}
