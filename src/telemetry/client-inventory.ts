/** Who calls: each client library and version, recognised from headers, counted and remembered. */
import type { IncomingHttpHeaders } from 'node:http'
import { type ClientFamily, RECOGNISED, UNKNOWN, UNNAMED } from './client-families.ts'

/** One client library in one version. */
export interface SeenClient {
  readonly family: ClientFamily
  /** Empty: not said; `other`: one of too many. */
  readonly version: string
  readonly requests: number
  /** Epoch milliseconds. */
  readonly firstSeenAt: number
  readonly lastSeenAt: number
}

export interface ClientInventory {
  /** Counts a request and says whose it is. */
  readonly seen: (headers: IncomingHttpHeaders) => SeenClient
  /** Every client so far, the latest first. */
  readonly clients: () => readonly SeenClient[]
}

interface Counted extends SeenClient {
  requests: number
  lastSeenAt: number
}

/** Callers choose these strings, so their number and length are bounded. */
const MAX_REMEMBERED = 256
const MAX_LENGTH = 512
const MAX_VERSIONS = 100
const VERSION = /^\d[\w.+-]{0,30}$/

/** Begins with no clients. `now` gives epoch milliseconds. */
export function clientInventory(now: () => number = Date.now): ClientInventory {
  /** By the headers as they came: recognising takes microseconds, and callers repeat themselves. */
  const remembered = new Map<string, Counted>()
  const clients = new Map<string, Counted>()

  function recognised(agent: string, sku: string, skuVersion: string): Counted {
    const { family, version } = recognise({ agent, sku, skuVersion })
    const isKnown = clients.has(`${family.id} ${version}`) || clients.size < MAX_VERSIONS
    const kept = isKnown ? version : 'other'
    const key = `${family.id} ${kept}`
    const client = clients.get(key) ?? {
      family,
      version: kept,
      requests: 0,
      firstSeenAt: now(),
      lastSeenAt: 0,
    }
    clients.set(key, client)
    return client
  }

  function clientOf(headers: IncomingHttpHeaders): Counted {
    const agent = headers['user-agent'] ?? ''
    const sku = headers['x-client-sku']
    const key = sku === undefined ? agent : `${text(sku)} ${text(headers['x-client-ver'])} ${agent}`
    const known = remembered.get(key)
    if (known !== undefined) return known
    const client = recognised(agent, text(sku), text(headers['x-client-ver']))
    if (remembered.size >= MAX_REMEMBERED) remembered.clear()
    if (key.length <= MAX_LENGTH) remembered.set(key, client)
    return client
  }

  return {
    seen: (headers) => {
      const client = clientOf(headers)
      client.requests += 1
      client.lastSeenAt = now()
      return client
    },
    clients: () => [...clients.values()].toSorted((a, b) => b.lastSeenAt - a.lastSeenAt),
  }
}

/** Family and version of a client by what its headers say; the version only if it looks like one. */
export function recognise({
  agent,
  sku = '',
  skuVersion = '',
}: {
  agent: string
  sku?: string
  skuVersion?: string
}): { family: ClientFamily; version: string } {
  if (agent === '' && sku === '') return { family: UNNAMED, version: '' }
  const beginning = agent.slice(0, MAX_LENGTH)
  for (const family of RECOGNISED) {
    const [, said = ''] = family.agent?.exec(beginning) ?? []
    if (family.agent?.test(beginning) === true) return { family, version: versionOf(said) }
    if (family.sku?.test(sku) === true) return { family, version: versionOf(skuVersion) }
  }
  return { family: UNKNOWN, version: '' }
}

/**
 * Whether a version speaks workload identity itself: such a client calls the IMDS because it was told
 * to. Undefined where the table or the version does not say.
 */
export function supportsWorkloadIdentity(
  { workloadIdentitySince }: ClientFamily,
  version: string,
): boolean | undefined {
  if (workloadIdentitySince === undefined || !VERSION.test(version)) return undefined
  const [since, actual] = [numbersOf(workloadIdentitySince), numbersOf(version)]
  const at = since.findIndex((number, index) => number !== (actual[index] ?? 0))
  return at < 0 || (actual[at] ?? 0) > (since[at] ?? 0)
}

function numbersOf(version: string): number[] {
  return (/^[\d.]+/.exec(version)?.[0] ?? '').split('.').slice(0, 3).map(Number)
}

function versionOf(said: string): string {
  return VERSION.test(said) ? said : ''
}

function text(header: string | string[] | undefined): string {
  return typeof header === 'string' ? header : ''
}
