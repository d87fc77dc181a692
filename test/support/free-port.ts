/** Ports for servers whose address has to be known before they start. */
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { errorCode } from '../../src/lib/describe-error.ts'

/**
 * Returns a loopback port that was free a moment ago. It is none of Linux's ephemeral ports, one of which another process
 * could get by binding port 0 before the server of the test listens.
 */
export async function freePort(): Promise<number> {
  const port = randomInt(16_384, 32_768)
  const server = createServer().listen(port, '127.0.0.1')
  try {
    await once(server, 'listening')
  } catch (error) {
    if (errorCode(error) !== 'EADDRINUSE') throw error
    return await freePort()
  } finally {
    server.close()
  }
  return port
}
