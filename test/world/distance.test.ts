/** The first token of a sidecar, by distance and by the addresses of the login host. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createFolder } from '../fixtures/folder.ts'
import { BUILT_CLI } from '../fixtures/run-program.ts'
import type { Host, Reply } from './near.ts'
import { createWorld, findObstacle, type Way } from './world.ts'

const obstacle = findObstacle()
if (obstacle !== undefined) process.stdout.write(`skipped: the world with distance: ${obstacle}\n`)

const RTT_MS = [20, 280, 600] as const

/** Returns the class of addresses with this round trip. */
const at = (rttMs: number) => rttMs / 20
const SILENT = 0
const NO_ROUTE = 99
const LOSSY = 61

const WAYS: readonly Way[] = [
  ...RTT_MS.map((roundTripMs) => ({ class: at(roundTripMs), roundTripMs })),
  { class: SILENT },
  { class: LOSSY, roundTripMs: 600, loseEvery: 50 },
]

/** The number of addresses by class. The class `here` has the round trip of the case. */
type Addresses = readonly [count: number, way?: number]
const NONE: Addresses = [0]

const RECORDS: readonly [string, Addresses, Addresses][] = [
  ['A only', [8], NONE],
  ['AAAA only', NONE, [8]],
  ['8+8', [8], [8]],
  ['8+8, no route for IPv6', [8], [8, NO_ROUTE]],
  ['8+8, no route for IPv4', [8, NO_ROUTE], [8]],
  ['8+8, IPv6 swallows packets', [8], [8, SILENT]],
  ['8+8, IPv4 swallows packets', [8, SILENT], [8]],
]

let count = 0

/** Creates a host with addresses of its own. */
function createHost(name: string, rttMs: number, ipv4: Addresses, ipv6: Addresses): Host {
  count += 1
  const host = count
  const list = (
    [length, way = at(rttMs)]: Addresses,
    create: (way: number, index: number) => number[],
  ) => Array.from({ length }, (_, index) => create(way, index + 1))
  return {
    name: `${name.replaceAll(/\W+/g, '-').toLowerCase()}-${rttMs}`,
    clientId: `11111111-1111-4111-8111-${String(host).padStart(12, '0')}`,
    ipv4: list(ipv4, (way, index) => [10, way, host, index]),
    ipv6: list(ipv6, (way, index) => [
      0xfd,
      0,
      0,
      way,
      0,
      host,
      ...Array.from({ length: 9 }, () => 0),
      index,
    ]),
  }
}

const DISTANCES = RTT_MS.flatMap((rttMs) =>
  RECORDS.map(([name, ipv4, ipv6]) => createHost(name, rttMs, ipv4, ipv6)),
)
const LOSSES = [1, 2, 3, 4, 5, 6, 7, 8].map((index) =>
  createHost(`loss-${index}`, 600, [2, LOSSY], [2, NO_ROUTE]),
)
const UNREACHABLE = createHost('unreachable', 20, [2, SILENT], [3, NO_ROUTE])
const MUTE_DNS = { ...createHost('mute', 280, [8], NONE), hasSilentIpv6Query: true }
const HOSTS = [...DISTANCES, ...LOSSES, MUTE_DNS]

/** A generous limit: no host takes that long, even if the machine is busy. */
const ENOUGH = { WIMDS_EXCHANGE_TIMEOUT: '60s' }

describe.skipIf(obstacle !== undefined)('the first token of a sidecar', () => {
  const resources = new DisposableStack()
  const replies = new Map<string, Reply>()

  beforeAll(async () => {
    const folder = resources.use(createFolder())
    const clientIds = [...HOSTS, UNREACHABLE].map(({ clientId }) => clientId)
    const world = resources.use(await createWorld(WAYS, clientIds))
    const request = async (hosts: readonly Host[], settings = {}) => {
      const identities = hosts.map(({ name, clientId }) => ({
        name,
        clientId,
        authorityHost: `https://${name}.world.test`,
      }))
      const config = folder.write(`${hosts[0]?.name}.yaml`, JSON.stringify({ identities }))
      const env = { ...world.env, ...settings, WIMDS_CONFIG: config }
      for (const reply of await world.request({ cli: BUILT_CLI, hosts, env })) {
        replies.set(reply.name, reply)
      }
    }
    await request(HOSTS, ENOUGH)
    await request([UNREACHABLE])
  })
  afterAll(() => resources.dispose())

  test.each(HOSTS)('comes from $name', ({ name }) => {
    expect(replies.get(name)).toEqual({ name, status: 200, text: '' })
  })

  test('does not come from a host whose addresses are all silent, and the error counts them', () => {
    const { status, text = '' } = replies.get(UNREACHABLE.name) ?? {}
    expect(status).toBe(504)
    expect(text).toContain(
      'cannot be reached: 2 IPv4 addresses did not answer, 3 IPv6 addresses failed (ENETUNREACH)',
    )
    expect(text).not.toContain('DNS')
  })
})
