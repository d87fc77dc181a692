/** Starts an admin server that serves a status document. */
import { createStatusRoutes } from '../../src/broker/status-page/routes.ts'
import type { StatusDocument } from '../../src/broker/telemetry/status-schema.ts'
import { openAdminPort } from '../fixtures/admin.ts'

interface Served extends AsyncDisposable {
  readonly origin: string
  /** Replaces the document. */
  readonly change: (document: StatusDocument) => void
}

/** Starts the server. */
export async function serveStatus(document: StatusDocument): Promise<Served> {
  let current = document
  const { port, ...server } = await openAdminPort({
    readiness: () => ({ ready: true }),
    scrape: () => Promise.resolve(''),
    loopbackRoutes: createStatusRoutes(() => current),
  })
  const origin = `http://localhost:${port}`
  return {
    origin,
    change: (next) => (current = next),
    ...server,
  }
}
