/** Opens connections for the brokers, which have no network, and only to login hosts that pods of the node may use. */
import type { LookupAddress } from 'node:dns'
import { lookup } from 'node:dns/promises'
import { fstatSync, readFileSync } from 'node:fs'
import type { Socket } from 'node:net'
import { LRUCache } from 'lru-cache'
import { createConfigError, type Environment, parseSettings } from '../../broker/config/settings.ts'
import { connectThroughProxy } from '../../broker/exchange/proxy.ts'
import { CLOUDS, resolveAuthority } from '../../lib/clouds.ts'
import { type Connect, createConnect } from '../../lib/connect.ts'
import type { Address, Peer } from '../../lib/connect-error.ts'
import { createHandshake } from '../../lib/connector.ts'
import { withDeadline } from '../../lib/deadline.ts'
import { BrokerError } from '../../lib/errors.ts'
import { removeBrackets } from '../../lib/hosts.ts'
import { createSemaphore } from '../../lib/semaphore.ts'
import { createBucket } from './bucket.ts'
import { findDescriptor } from './broker-channel.ts'
import { ignoreEnded } from './sandboxes.ts'

/** Connects for one broker process. Throws the `ConnectError` of the host, or a `BrokerError`. */
export type OpenConnection = (to: Peer) => Promise<Socket>

/** How many connections a broker may open at once, and after that in a second. */
const BURST = 32
const PER_SECOND = 5
/** How many open connections a broker may have. Data that the broker does not read takes memory of the agent's container. */
const MAX_HELD = 64
/** The same for all brokers together. A connection keeps a port for a minute after its end, and the agent has some 28 000. */
const BURST_OF_ALL = 512
const PER_SECOND_OF_ALL = 200
/** The agent counts the open connections of a broker at most this often. */
const COUNT_MS = 1000
/** How long an address is cached. Look-ups share the four threads of libuv with the reads of files. */
const ADDRESS_TTL_MS = 5000
const MAX_OTHER_LOOKUPS = 2

const SETTINGS: ReadonlySet<string> = new Set([
  'AZURE_AUTHORITY_HOST',
  'AZURE_REGIONAL_AUTHORITY_NAME',
  'WIMDS_EXCHANGE_TIMEOUT',
  'HTTPS_PROXY',
  'https_proxy',
  'NO_PROXY',
  'no_proxy',
])

/** Creates a function that returns an `OpenConnection` for each new broker process. Throws a `ConfigError`. */
export function createConnections(env: Environment, other?: Connect): () => OpenConnection {
  const { hosts, otherHosts, timeoutMs, proxy } = readDestinations(env)
  const connect = other ?? createConnect({ lookup: createSharedLookup(otherHosts) })
  const route =
    proxy === undefined
      ? connect
      : connectThroughProxy({ ...proxy, connect, handshake: createHandshake() })
  const takeOfAll = createBucket(BURST_OF_ALL, PER_SECOND_OF_ALL)

  return () => {
    const take = createBucket(BURST, PER_SECOND)
    const count = createBucket(1, 1000 / COUNT_MS)
    const held = new Set<number>()
    let opening = 0

    function hasRoom(): boolean {
      if (held.size + opening >= MAX_HELD && count()) {
        const open = readOpenSockets()
        for (const inode of held) if (!open.has(inode)) held.delete(inode)
      }
      return held.size + opening < MAX_HELD
    }

    return async (to) => {
      if (!hosts.has(`${removeBrackets(to.host).toLowerCase()}:${to.port}`)) {
        throw new BrokerError(
          'entra_unreachable',
          `the node agent does not connect to ${to.host}:${to.port}, which is no login host of the node`,
          'allow it by the chart value injection.env.AZURE_AUTHORITY_HOST',
        )
      }
      if (!hasRoom() || !take() || !takeOfAll()) {
        throw new BrokerError(
          'overloaded',
          `a broker may open ${BURST} connections at once, then ${PER_SECOND} a second, and hold ${MAX_HELD}`,
          'try again later',
        )
      }
      opening += 1
      try {
        const socket = await withDeadline(timeoutMs, (signal) => route(to, signal))
        held.add(fstatSync(findDescriptor(socket)).ino)
        return socket
      } finally {
        opening -= 1
      }
    }
  }
}

/** Reads the proxy, and `host:port` of each cloud's token endpoint and of the node's authority. */
function readDestinations(env: Environment) {
  const { settings, problems } = parseSettings(
    Object.fromEntries(Object.entries(env).filter(([name, value]) => value && SETTINGS.has(name))),
  )
  if (settings === undefined) throw createConfigError(problems)
  const { AZURE_AUTHORITY_HOST: authorityHost, AZURE_REGIONAL_AUTHORITY_NAME: region } = settings
  const { HTTPS_PROXY: url = settings.https_proxy, NO_PROXY: noProxy = settings.no_proxy } =
    settings
  if (url?.reveal().startsWith('https:') === true) {
    const problem =
      'has an https:// URL, but in mode node the agent cannot pass a TLS connection to a broker'
    const fix = 'use a proxy with an http:// URL, to which only host names are sent in clear'
    throw createConfigError([{ setting: 'HTTPS_PROXY', problem, fix }])
  }
  const findHosts = (origin: string) =>
    [undefined, region].map((each) => resolveAuthority(origin, '', each).tokenHost)
  const hosts = CLOUDS.flatMap(({ hosts: [host] }) => findHosts(`https://${host}`))
  const own = findHosts(authorityHost)
  return {
    hosts: new Set([...hosts, ...own].map(formatTarget)),
    otherHosts: new Set(hosts.filter((host) => !own.includes(host))),
    timeoutMs: settings.WIMDS_EXCHANGE_TIMEOUT / 2,
    proxy: url && { url, noProxy: noProxy ?? '' },
  }
}

function formatTarget(host: string): string {
  const { hostname, port } = new URL(`https://${host}`)
  return `${removeBrackets(hostname)}:${port || 443}`
}

/**
 * Creates a function that looks up hosts and caches their addresses. Any pod can name the host of another cloud, for which the
 * resolver may not answer: such look-ups take at most two of libuv's four threads.
 */
export function createSharedLookup(
  otherHosts: ReadonlySet<string>,
  look: (host: string, family: 0 | 4) => Promise<LookupAddress[]> = (host, family) =>
    lookup(host, { all: true, family }),
) {
  const limitOthers = createSemaphore({ maxConcurrent: MAX_OTHER_LOOKUPS })
  const kept = new LRUCache<string, readonly Address[]>({ max: 64, ttl: ADDRESS_TTL_MS })
  return async (host: string, family: 0 | 4): Promise<readonly Address[]> => {
    const key = `${host} ${family}`
    const known = kept.get(key)
    if (known !== undefined) return known
    const start = () => look(host, family)
    const found = await (otherHosts.has(host) ? limitOthers(start) : start())
    const addresses = found.map((each) => ({ ...each, family: each.family === 6 ? 6 : 4 }) as const)
    kept.set(key, addresses)
    return addresses
  }
}

/** Returns the inodes of the TCP sockets in this network. A socket that no process has any more has the inode 0. */
function readOpenSockets(): ReadonlySet<number> {
  const tables = ['tcp', 'tcp6'].map(
    (name) => ignoreEnded(() => readFileSync(`/proc/self/net/${name}`, 'utf8')) ?? '',
  )
  const lines = tables.flatMap((table) => table.split('\n').slice(1))
  return new Set(lines.map((line) => Number(line.trim().split(/\s+/)[9] ?? 0)))
}
