/** The admin server on a port, with the status document of a test. */
import { adminServer } from '../../src/server/admin.ts'
import { logger } from '../../src/telemetry/logger.ts'
import type { StatusDocument } from '../../src/telemetry/status-schema.ts'
import { portOf } from '../fixtures/listening.ts'

export async function serveStatus(
  document: StatusDocument,
): Promise<{ origin: string } & AsyncDisposable> {
  const app = adminServer({
    readiness: () => ({ ready: true, reasons: [] }),
    scrape: () => Promise.resolve({ contentType: 'text/plain', body: '' }),
    document: () => document,
    log: logger({ level: 'silent', format: 'json', out: { write: () => {} } }),
  })
  await app.listen({ host: '127.0.0.1', port: 0 })
  return {
    origin: `http://localhost:${portOf(app.server)}`,
    [Symbol.asyncDispose]: () => app.close(),
  }
}
