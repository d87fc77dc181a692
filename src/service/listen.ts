/** Opens and closes HTTP servers: one for each address, with one limit of connections for all. */
import { once } from 'node:events'
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import type { RequestListener, Server } from 'node:http'
import type { Server as TcpServer } from 'node:net'
import type { Address } from './parsers.ts'
import {
  chooseIdle,
  type ChooseVictim,
  CONNECTION_TIMEOUTS,
  ConnectionLimiter,
  createLimitedServer,
} from './connections.ts'
import { BrokerError } from '../lib/errors.ts'
import { errorMessage, printError } from '../lib/describe-error.ts'
import { errorFields } from './describe-failure.ts'
import type { ProcessLog } from './logger.ts'
import type { CommandIo } from '../lib/command.ts'

export interface ListenOptions {
  readonly maxConnections: number
  /** Chooses the connection to close at the limit. Default: `chooseIdle`. */
  readonly chooseVictim?: ChooseVictim
  /** The time limits of connections; only tests pass others. */
  readonly timeouts?: typeof CONNECTION_TIMEOUTS
}

export type Listener = Awaited<ReturnType<typeof listen>>

/**
 * The maximum number of connections that wait to be accepted. A caller that finds the queue full tries again a second later.
 * The kernel lowers the number to its own limit.
 */
const BACKLOG = 4096

/** If no connection comes to a socket for this long, none waits there. */
const QUIET_MS = 5
/** The maximum number of these waits: a second in total, or longer on a busy machine, where accepting takes longer too. */
const MAX_WAITS = 200
const MAX_ACCEPT_MS = 5000

/** A listening socket that another process sent. Node accepts it in place of an address. */
export interface SocketHandle {
  readonly fd: number
  /** Closes the handle if no server has taken it. */
  readonly close: () => void
}

export type ListenTarget = Address | SocketHandle

/** Listens on every target, or on none. Throws the error of `listen`, such as EADDRINUSE. */
export async function listen(
  handler: RequestListener,
  targets: readonly ListenTarget[],
  { maxConnections, chooseVictim = chooseIdle, timeouts = CONNECTION_TIMEOUTS }: ListenOptions,
) {
  const limiter = new ConnectionLimiter(maxConnections, chooseVictim)
  const servers: Server[] = []
  const bound: Address[] = []
  try {
    for (const target of targets) {
      const server = createLimitedServer(handler, limiter, timeouts)
      servers.push(server)
      bound.push(await bind(server, target))
    }
  } catch (error) {
    for (const server of servers) server.close()
    throw error
  }
  return {
    /** The bound addresses. For port 0 they have the port that the system chose. */
    addresses: bound,
    /**
     * Accepts the connections that already wait, and no others. Answers their requests and the requests in flight. Closes every
     * connection after `timeoutMs`.
     */
    close: async (timeoutMs: number): Promise<void> => {
      if (timeoutMs > 0) await acceptWaiting(limiter)
      const closed = servers.map((server) => closeServer(server, timeoutMs))
      limiter.drain()
      await Promise.all(closed)
    },
  }
}

/**
 * Waits until no connection comes. Node accepts one per turn of the event loop, and closing the socket would reset the others.
 */
async function acceptWaiting(limiter: ConnectionLimiter): Promise<void> {
  const deadline = performance.now() + MAX_ACCEPT_MS
  for (let waits = 0; waits < MAX_WAITS && performance.now() < deadline; waits += 1) {
    const before = limiter.accepted
    await sleep(QUIET_MS)
    await nextTurn()
    if (limiter.accepted === before) return
  }
}

/**
 * Makes a server listen. Returns the bound address. For `::`, which means every address, this is `0.0.0.0` on a machine without
 * IPv6. Throws the error of `listen`.
 */
export async function bind(server: TcpServer, target: ListenTarget): Promise<Address> {
  if ('fd' in target) server.listen(target, BACKLOG)
  else {
    const { host, port } = target
    // Node falls back to IPv4 only where no host is given.
    server.listen({ port, backlog: BACKLOG, ...(host !== '::' && { host }) })
  }
  await once(server, 'listening')
  const bound = server.address()
  if (bound === null || typeof bound === 'string') throw new Error('the server is not bound')
  return { host: bound.address, port: bound.port }
}

type Closable = Pick<Server, 'close' | 'closeAllConnections'>

/** Stops accepting, and closes every connection after `timeoutMs` at the latest. */
export function closeServer(server: Closable, timeoutMs: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => server.closeAllConnections(), timeoutMs)
    server.close(() => {
      clearTimeout(timer)
      resolve()
    })
  })
}

interface FailureOutput {
  readonly io: Pick<CommandIo, 'stderr'>
  readonly log: ProcessLog
  /** The name of the program, such as `wimds serve`. */
  readonly program: string
  /** Completes "choose another port by …". */
  readonly setBy: string
}

/**
 * Awaits `bind` or `listen`. If it fails, logs `listen_failed` and returns undefined; the command then returns 1. If the log is
 * silent, prints the error on standard error instead.
 */
export async function openPorts<T>(
  opened: Promise<T>,
  { io, log, program, setBy }: FailureOutput,
): Promise<T | undefined> {
  try {
    return await opened
  } catch (error) {
    const failure = new BrokerError(
      'listen_failed',
      `cannot listen: ${errorMessage(error)}`,
      `choose another port by ${setBy}`,
    )
    log.error('listen_failed', errorFields(failure))
    if (log.level === 'silent') printError(io, program, failure.message)
    return undefined
  }
}
