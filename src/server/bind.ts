/** Binds a server to an address. */
import { once } from 'node:events'
import type { Server } from 'node:net'
import type { Address } from '../config/parsers.ts'

/**
 * Connections that wait to be accepted. A caller that finds no room in this queue tries again a second
 * later; the kernel cuts the number to its own limit.
 */
const BACKLOG = 4096

/**
 * Gives back where the server listens, with the port that a 0 became: for `::`, which is all addresses,
 * that is `0.0.0.0` where the kernel has no IPv6. Throws what `listen` fails with, such as EADDRINUSE.
 */
export async function bind(server: Server, { host, port }: Address): Promise<Address> {
  // Node tells whether there is IPv6, but only where no host is named.
  server.listen({ port, backlog: BACKLOG, ...(host !== '::' && { host }) })
  await once(server, 'listening')
  const bound = server.address()
  if (bound === null || typeof bound === 'string') throw new Error('the server is not bound')
  return { host: bound.address, port: bound.port }
}
