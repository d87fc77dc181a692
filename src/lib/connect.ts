/** Connects to a host over TCP: to the first of its addresses that answers (RFC 8305, Happy Eyeballs). */
import { lookup as lookupByNode } from 'node:dns'
import { connect as connectSocket, type Socket } from 'node:net'
import {
  type Address,
  type Attempt,
  ConnectError,
  type Family,
  type Peer,
  SILENT,
} from './connect-error.ts'
import { isTimeoutError, untilAborted } from './deadline.ts'
import { errorCode } from './describe-error.ts'
import { createSingleFlight } from './semaphore.ts'

/**
 * Connects, and returns the socket. The signal is the only time limit. Throws a `ConnectError` if no address can be reached, or
 * if the signal aborts with a `TimeoutError`. Throws every other reason of the signal as it is.
 */
export type Connect = (to: Peer, signal: AbortSignal) => Promise<Socket>

interface ConnectOptions {
  readonly lookup?: typeof lookupAddresses
  /** Starts to connect to an address. */
  readonly open?: (to: Peer) => Socket
  /** A monotonic clock in milliseconds. */
  readonly now?: () => number
}

/** The time after which the next address is tried. The attempts before it continue (RFC 8305, section 5). */
const ATTEMPT_DELAY_MS = 250
/**
 * The time after which only IPv4 addresses are looked up. Some firewalls drop queries for IPv6 addresses, and the resolver then
 * waits longer than any caller.
 */
const SLOW_LOOKUP_MS = 1000
/**
 * The time for which the address family of the last connection is tried first. Otherwise every connection would first wait for
 * a family whose packets are dropped.
 */
const PREFERENCE_MS = 10 * 60_000
const MAX_WINNERS = 32

/** Creates a function that connects to hosts. It remembers which address family of a host answers. */
export function createConnect({
  lookup = lookupAddresses,
  open = connectSocket,
  now = () => performance.now(),
}: ConnectOptions = {}): Connect {
  // A look-up that hangs blocks one of the few threads of Node that also read files.
  const share = createSingleFlight<readonly Address[]>()
  const winners = new Map<string, { readonly family: Family; readonly wonAt: number }>()

  function findFamily(host: string): Family | undefined {
    const winner = winners.get(host)
    return winner && now() - winner.wonAt < PREFERENCE_MS ? winner.family : undefined
  }

  /** Returns the addresses of both families, or only the IPv4 addresses if the look-up of both takes too long. */
  async function resolve(host: string, both: Promise<readonly Address[]>) {
    let timer: NodeJS.Timeout | undefined
    const slow = new Promise<void>((done) => (timer = setTimeout(done, SLOW_LOOKUP_MS).unref()))
    const ipv4 = slow.then(() => share(`${host} 4`, () => lookup(host, 4))).catch(() => both)
    return Promise.race([both, ipv4]).finally(() => clearTimeout(timer))
  }

  return async ({ host, port }, signal) => {
    const attempts: Attempt[] = []
    const tryAll = (addresses: readonly Address[]) => {
      const order = interleave(addresses, findFamily(host) ?? addresses[0]?.family)
      signal.throwIfAborted()
      return race(order, port, { open, signal, attempts })
    }
    try {
      const both = share(host, () => lookup(host, 0))
      const first = await untilAborted(resolve(host, both), signal)
      const { socket, family } = await tryAll(first).catch(async (error: unknown) => {
        // If only the IPv4 addresses were tried so far, the network may have no IPv4.
        const all = await untilAborted(both, signal)
        const others = all.filter((each) => all !== first && each.family === 6)
        if (others.length === 0) throw error
        return tryAll(others)
      })
      if (winners.size >= MAX_WINNERS) winners.clear()
      winners.set(host, { family, wonAt: now() })
      return socket
    } catch (error) {
      const isAborted = signal.aborted && error === signal.reason
      const isTimeout = isAborted && isTimeoutError(error)
      if (isAborted && !isTimeout) throw error
      const hasSilent = attempts.some(({ code }) => code === SILENT)
      const code = isTimeout || hasSilent ? SILENT : (errorCode(error) ?? 'unknown')
      throw new ConnectError({ host, port, code, attempts }, { cause: error })
    }
  }
}

/** Looks up the addresses of a name as the system does. Family 0 means both families. */
function lookupAddresses(host: string, family: 0 | 4): Promise<readonly Address[]> {
  return new Promise((resolve, reject) => {
    lookupByNode(host, { all: true, family }, (error, found) => {
      if (error) reject(error)
      else resolve(found.map((each) => ({ ...each, family: each.family === 6 ? 6 : 4 })))
    })
  })
}

/** Returns the addresses with alternating families, beginning with the given one. */
function interleave(addresses: readonly Address[], first?: Family): readonly Address[] {
  const ones = addresses.filter(({ family }) => family === first)
  const others = addresses.filter(({ family }) => family !== first)
  const pairs = ones.flatMap((each, index) => [each, ...others.slice(index, index + 1)])
  return [...pairs, ...others.slice(ones.length)]
}

interface RaceOptions extends Pick<Required<ConnectOptions>, 'open'> {
  readonly signal: AbortSignal
  /** The list to which each tried address and the code of its failure are added. */
  readonly attempts: Attempt[]
}

interface Winner {
  readonly socket: Socket
  readonly family: Family
}

/**
 * Opens a socket to the next address every 250 ms and after each failure. Returns the first one that connects, and destroys the
 * others.
 */
function race(
  addresses: readonly Address[],
  port: number,
  { open, signal, attempts }: RaceOptions,
): Promise<Winner> {
  const { promise, resolve, reject } = Promise.withResolvers<Winner>()
  const waiting = [...addresses]
  const sockets = new Set<Socket>()
  let timer: NodeJS.Timeout | undefined

  function startNext(): void {
    clearTimeout(timer)
    const next = waiting.shift()
    if (next === undefined) return
    const attempt = { ...next, code: SILENT }
    attempts.push(attempt)
    const socket = open({ host: next.address, port })
    sockets.add(socket)
    socket.once('connect', () => {
      socket.off('error', onError)
      sockets.delete(socket)
      end(() => resolve({ socket, family: next.family }))
    })
    socket.on('error', onError)
    timer = setTimeout(startNext, ATTEMPT_DELAY_MS)

    function onError(error: Error): void {
      // Ignores the other sockets after the first one has connected: they may fail while they are destroyed.
      if (!sockets.delete(socket)) return
      attempt.code = errorCode(error) ?? 'unknown'
      startNext()
      if (sockets.size === 0) end(() => reject(error))
    }
  }

  function end(settle: () => void): void {
    clearTimeout(timer)
    signal.removeEventListener('abort', abort)
    const losers = [...sockets]
    sockets.clear()
    for (const loser of losers) loser.destroy()
    settle()
  }

  // oxlint-disable-next-line prefer-promise-reject-errors -- a signal's reason may be anything
  const abort = () => end(() => reject(signal.reason))
  signal.addEventListener('abort', abort, { once: true })
  startNext()
  return promise
}
