/** Starts an admin server that serves this status document. */
import { createAdminApp } from '../../src/server/admin.ts'
import { createLogger } from '../../src/telemetry/logger.ts'
import type { StatusDocument } from '../../src/telemetry/status-schema.ts'
import { portOf } from '../fixtures/listening.ts'

export async function serveStatus(
  document: StatusDocument,
): Promise<{ origin: string } & AsyncDisposable> {
  const app = createAdminApp({
    readiness: () => ({ ready: true, reasons: [] }),
    scrape: () => Promise.resolve({ contentType: 'text/plain', body: '' }),
    document: () => document,
    log: createLogger({ level: 'silent', format: 'json', out: { write: () => {} } }),
  })
  await app.listen({ host: '127.0.0.1', port: 0 })
  return {
    origin: `http://localhost:${portOf(app.server)}`,
    [Symbol.asyncDispose]: () => app.close(),
  }
}
