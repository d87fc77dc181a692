/** The routes of a sidecar's status, for people on loopback. */
import type { Routes } from '../../service/admin.ts'
import { redirectToStatus, sendJson, sendPage } from '../../service/send.ts'
import type { StatusDocument } from '../telemetry/status-schema.ts'

/** Creates the routes of the page and of its document. Each request gets the current state. */
export function createStatusRoutes(document: () => StatusDocument): Routes {
  return {
    '/': redirectToStatus,
    '/status': async (request, response) => {
      // Loaded on the first visit: most sidecars never get one, and their memory stays smaller.
      const { renderPage } = await import('./page.ts')
      sendPage(request, response, renderPage(document()))
    },
    '/status.json': (_request, response) => sendJson(response, 200, document()),
  }
}
