/** Ports for servers whose address has to be known before they start. */
import { createServer } from 'node:net'
import { listening } from '../fixtures/listening.ts'

/** A loopback port that was free a moment ago. */
export async function freePort(): Promise<number> {
  await using server = await listening(createServer())
  return server.port
}
