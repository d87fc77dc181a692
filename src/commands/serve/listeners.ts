/** Opens all ports of the sidecar, or none of them. */
import type { RequestListener } from 'node:http'
import type { FastifyInstance } from 'fastify'
import { formatUrlHost } from '../../lib/hosts.ts'
import type { Address } from '../../config/parsers.ts'
import { listen, type Listener } from '../../server/listen.ts'

/** One application and where it is to be reached. */
export interface Service {
  /** The field of the log line that tells its addresses. */
  readonly name: string
  readonly app: FastifyInstance
  readonly listen: readonly Address[]
  readonly maxConnections: number
}

/** Ports that are open. */
export interface Ports {
  /** Addresses by the services' names, those without any left out. */
  readonly addresses: Readonly<Record<string, readonly string[]>>
  readonly close: (timeoutMs: number) => Promise<void>
}

/** Throws what binding failed with; then nothing is left open. */
export async function openPorts(
  services: readonly Service[],
  malformedBody: string,
): Promise<Ports> {
  await Promise.all(services.map(({ app }) => app.ready()))
  const listeners: Listener[] = []
  const close = async (timeoutMs: number): Promise<void> => {
    await Promise.all(listeners.map((listener) => listener.close(timeoutMs)))
  }
  try {
    for (const { app, listen: addresses, maxConnections } of services) {
      const handler: RequestListener = (...exchange) => app.routing(...exchange)
      listeners.push(await listen(handler, addresses, { maxConnections, malformedBody }))
    }
  } catch (error) {
    await close(0)
    throw error
  }
  const named = services.map(
    ({ name }, index) => [name, listeners[index]?.addresses.map(asText) ?? []] as const,
  )
  return { addresses: Object.fromEntries(named.filter(([, list]) => list.length > 0)), close }
}

function asText({ host, port }: Address): string {
  return `${formatUrlHost(host)}:${port}`
}
