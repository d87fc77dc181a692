/** The routes of the admin port for people on loopback: the status, and the log level. */
import type { IncomingMessage } from 'node:http'
import { LOG_LEVELS } from '../config/settings.ts'
import { readBody } from '../../lib/http.ts'
import type { ProcessLog } from '../telemetry/logger.ts'
import type { StatusDocument } from '../telemetry/status-schema.ts'
import type { Routes } from './admin.ts'
import { MAX_BODY_BYTES } from './listen.ts'
import { sendJson, sendText } from './send.ts'

interface StatusParts {
  readonly document: () => StatusDocument
  readonly log: ProcessLog
}

/** Creates the routes. */
export function createStatusRoutes({ document, log }: StatusParts): Routes {
  return {
    'GET /': (_request, response) => {
      sendText(response, 302, { Location: '/status' }, '')
    },
    'GET /status': async (_request, response) => {
      // Loaded on the first visit: most sidecars never get one, and their memory stays smaller.
      const { renderPage } = await import('../status-page/page.ts')
      const { headers, body } = renderPage(document())
      sendText(response, 200, headers, body)
    },
    'GET /status.json': (_request, response) => sendJson(response, 200, document()),
    ...createLogLevelRoutes(log),
  }
}

/** Creates the routes that read and change the log level. */
export function createLogLevelRoutes(log: ProcessLog): Routes {
  return {
    'GET /log-level': (_request, response) => sendJson(response, 200, { level: log.level() }),
    'PUT /log-level': async (request, response) => {
      const requested = await readLevel(request)
      if (requested === undefined) {
        response.setHeader('Connection', 'close')
        sendJson(response, 413, { error: `the body is larger than ${MAX_BODY_BYTES} bytes` })
        return
      }
      const level = LOG_LEVELS.find((known) => known === requested)
      if (level === undefined) {
        sendJson(response, 400, { error: `the body must be one of ${LOG_LEVELS.join(', ')}` })
        return
      }
      log.changeLevel(level)
      sendJson(response, 200, { level: log.level() })
    },
  }
}

/** Returns the body, which is the level alone or as a JSON string; undefined if it is too large. */
async function readLevel(request: IncomingMessage): Promise<string | undefined> {
  const tooLarge = new Error()
  try {
    // The connection stays open for the reply.
    const chunks = request.iterator({ destroyOnReturn: false })
    const body = await readBody(chunks, MAX_BODY_BYTES, () => tooLarge)
    return body.trim().replace(/^"(.*)"$/, '$1')
  } catch (error) {
    if (error === tooLarge) return undefined
    throw error
  }
}
