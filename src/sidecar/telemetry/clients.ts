/** Client inventory: recognizes each client library and version by request headers, and counts requests. */
import type { IncomingHttpHeaders } from 'node:http'
import {
  CLIENT_LIBRARIES,
  type ClientLibrary,
  NO_USER_AGENT,
  UNKNOWN_LIBRARY,
} from './client-libraries.ts'

/** One client library in one version. */
export interface SeenClient {
  readonly library: ClientLibrary
  /** Empty if the client sends none; `other` past the limit of versions. */
  readonly version: string
  readonly requests: number
  /** Epoch milliseconds. */
  readonly firstSeenAt: number
  readonly lastSeenAt: number
}

interface CountedClient extends SeenClient {
  requests: number
  lastSeenAt: number
}

/** Callers choose these headers, so the number and length of the values are bounded. */
const MAX_CACHED_HEADERS = 256
const MAX_LENGTH = 512
const MAX_CLIENTS = 100
const VERSION = /^\d[\w.+-]{0,30}$/

/** Creates an empty inventory. `now` is the monotonic clock. */
export function createClientInventory(now: () => number) {
  /** By the headers as sent: recognition costs microseconds, and callers repeat themselves. */
  const byHeaders = new Map<string, CountedClient>()
  const byLibrary = new Map<string, CountedClient>()

  function findOrAdd({ library, version }: RecognizedClient): CountedClient {
    const isKnown = byLibrary.has(`${library.id} ${version}`) || byLibrary.size < MAX_CLIENTS
    const label = isKnown ? version : 'other'
    const key = `${library.id} ${label}`
    const client = byLibrary.get(key) ?? {
      library,
      version: label,
      requests: 0,
      firstSeenAt: now(),
      lastSeenAt: 0,
    }
    byLibrary.set(key, client)
    return client
  }

  function findClient(headers: IncomingHttpHeaders): CountedClient {
    const { 'user-agent': agent = '', 'x-client-sku': sku, 'x-client-ver': version } = headers
    const key = sku === undefined ? agent : `${String(sku)} ${String(version)} ${agent}`
    const cached = byHeaders.get(key)
    if (cached !== undefined) return cached
    const client = findOrAdd(recognizeClient(headers))
    if (byHeaders.size >= MAX_CACHED_HEADERS) byHeaders.clear()
    if (key.length <= MAX_LENGTH) byHeaders.set(key, client)
    return client
  }

  return {
    /** Counts a request and returns its client. */
    count: (headers: IncomingHttpHeaders): SeenClient => {
      const client = findClient(headers)
      client.requests += 1
      client.lastSeenAt = now()
      return client
    },
    /** Returns every client so far, the latest first. */
    clients: (): readonly SeenClient[] =>
      [...byLibrary.values()].toSorted((a, b) => b.lastSeenAt - a.lastSeenAt),
  }
}

type RecognizedClient = Pick<SeenClient, 'library' | 'version'>

/** Returns library and version of a client by its headers; the version is empty unless it looks like one. */
export function recognizeClient(headers: IncomingHttpHeaders): RecognizedClient {
  const agent = (headers['user-agent'] ?? '').slice(0, MAX_LENGTH)
  const sku = String(headers['x-client-sku'] ?? '')
  if (agent === '' && sku === '') return { library: NO_USER_AGENT, version: '' }
  for (const library of CLIENT_LIBRARIES) {
    const match = library.agent?.exec(agent)
    if (match) return { library, version: parseVersion(match[1]) }
    if (library.sku?.test(sku) === true) {
      return { library, version: parseVersion(String(headers['x-client-ver'])) }
    }
  }
  return { library: UNKNOWN_LIBRARY, version: '' }
}

/**
 * Returns whether this version can use workload identity without a sidecar; such a client calls the
 * IMDS because of its configuration. Undefined if the table has no version or `version` is malformed.
 */
export function supportsWorkloadIdentity(
  { workloadIdentitySince }: ClientLibrary,
  version: string,
): boolean | undefined {
  if (workloadIdentitySince === undefined || !VERSION.test(version)) return undefined
  const [since, actual] = [parseNumbers(workloadIdentitySince), parseNumbers(version)]
  const at = since.findIndex((number, index) => number !== (actual[index] ?? 0))
  return at < 0 || (actual[at] ?? 0) > (since[at] ?? 0)
}

function parseNumbers(version: string): number[] {
  return (/^[\d.]+/.exec(version)?.[0] ?? '').split('.').slice(0, 3).map(Number)
}

function parseVersion(text = ''): string {
  return VERSION.test(text) ? text : ''
}
