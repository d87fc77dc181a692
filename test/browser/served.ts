/** Starts an admin server that serves a status document, with the traffic of ten minutes before it. */
import { createStatusRoutes } from '../../src/sidecar/server/status-routes.ts'
import { createLogger } from '../../src/sidecar/telemetry/logger.ts'
import type { StatusDocument } from '../../src/sidecar/telemetry/status-schema.ts'
import { openAdminPort } from '../fixtures/admin.ts'
import { aTrafficSample } from '../fixtures/status.ts'

interface Served extends AsyncDisposable {
  readonly origin: string
  /** Replaces the document. */
  readonly change: (document: StatusDocument) => void
  readonly close: () => Promise<void>
}

const SAMPLES = 120
const SPACING_MS = 5000
const HOUR_MS = 3_600_000

/** Starts the server. `hasTraffic: false` serves a page on which nothing has been requested. */
export async function serveStatus(
  document: StatusDocument,
  { hasTraffic = true }: { readonly hasTraffic?: boolean } = {},
): Promise<Served> {
  let current = document
  let visits = 0
  const { port, ...server } = await openAdminPort({
    readiness: () => ({ ready: true }),
    scrape: () => Promise.resolve({ contentType: 'text/plain', body: '' }),
    loopbackRoutes: createStatusRoutes({
      readTraffic: () => {
        visits += 1
        const at = (hasTraffic ? 3 * HOUR_MS : 0) + visits * SPACING_MS
        return aTrafficSample(hasTraffic ? visits : 0, at)
      },
      document: () => current,
      log: createLogger({ level: 'silent', format: 'json', out: { write: () => {} } }),
    }),
  })
  const origin = `http://localhost:${port}`
  const visitsBefore = hasTraffic ? SAMPLES : 0
  for (let visit = 0; visit < visitsBefore; visit += 1)
    await (await fetch(`${origin}/status`)).text()
  return {
    origin,
    change: (next) => (current = next),
    close: async () => await server[Symbol.asyncDispose](),
    ...server,
  }
}
