/** Ports for servers whose address has to be known before they start. */
import { once } from 'node:events'
import { createServer } from 'node:net'
import { portOf } from '../fixtures/listening.ts'

/** A loopback port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const port = portOf(server)
  server.close()
  await once(server, 'close')
  return port
}
