/** A steady load on one cached token: processor time, rate, latency, memory. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Simulator } from '../src/simulator/simulator.ts'
import { firstAnswer } from './callers.ts'
import { type Figure, median, percentile, plus, times } from './figures.ts'
import { load, type Load } from './load.ts'
import {
  privateMib,
  processorUs,
  type Server,
  startBaseline,
  startIncumbent,
  startSidecar,
} from './processes.ts'

const ROUNDS = 5
const REQUESTS = 40_000
/** V8 collects what the start left behind about eight seconds after a process has become idle. */
const SETTLE_MS = 20_000

type Round = Load & { readonly cpuUs: number }

interface Measured {
  readonly idleMib: number
  readonly afterMib: number
  readonly rounds: readonly Round[]
}

/** Rounds of all servers in turn, so that what else the machine does meets each of them. */
export async function steady(
  simulator: Simulator,
  incumbent: string | undefined,
): Promise<readonly Figure[]> {
  const sidecar = await startSidecar(simulator)
  const baseline = await startBaseline(await firstAnswer(sidecar.tokenUrl()))
  const servers = [sidecar, baseline]
  if (incumbent !== undefined) servers.push(await startIncumbent(incumbent, simulator))
  try {
    for (const server of servers) await firstAnswer(server.tokenUrl())
    await sleep(SETTLE_MS)
    const idle = await Promise.all(servers.map(privateMib))
    const rounds: Round[][] = servers.map(() => [])
    for (let round = 0; round < ROUNDS; round += 1) {
      for (const [index, server] of servers.entries()) {
        rounds[index]?.push(await oneRound(server))
      }
    }
    await sleep(SETTLE_MS)
    const after = await Promise.all(servers.map(privateMib))
    const measured = servers.map((_, index): Measured => ({
      idleMib: idle[index] ?? Number.NaN,
      afterMib: after[index] ?? Number.NaN,
      rounds: rounds[index] ?? [],
    }))
    return figures(measured)
  } finally {
    await Promise.all(servers.map((server) => server.stop()))
  }
}

async function oneRound(server: Server): Promise<Round> {
  const before = await processorUs(server)
  const result = await load(server.tokenUrl(), REQUESTS)
  return { ...result, cpuUs: ((await processorUs(server)) - before) / REQUESTS }
}

function figures([wimds, bare, incumbent]: readonly Measured[]): readonly Figure[] {
  if (wimds === undefined || bare === undefined)
    throw new Error('two servers are measured at least')
  const both = (of: (measured: Measured) => number) => ({
    wimds: of(wimds),
    bare: of(bare),
    ...(incumbent !== undefined && { incumbent: of(incumbent) }),
  })
  const latency = (share: number) =>
    both(({ rounds }) => median(rounds.map(({ latencies }) => percentile(latencies, share))))
  const cpu = both(({ rounds }) => median(rounds.map(({ cpuUs }) => cpuUs)))
  const rate = both(({ rounds }) => median(rounds.map((round) => round.requestsPerSecond)))
  const idle = both(({ idleMib }) => idleMib)
  const after = both(({ afterMib }) => afterMib)
  const total = (ROUNDS * REQUESTS) / 1000
  return [
    { name: 'CPU per cached request', unit: 'µs', ...cpu, bar: times(1.25, cpu.bare) },
    { name: 'cached requests', unit: '/s', ...rate },
    { name: 'latency p50, 16 callers', unit: 'ms', ...latency(0.5) },
    { name: 'latency p99', unit: 'ms', ...latency(0.99) },
    { name: 'latency p99.9', unit: 'ms', ...latency(0.999) },
    {
      name: 'private memory, idle',
      unit: 'MiB',
      ...idle,
      bar: plus(8, idle.bare, 'MiB'),
      promise: { text: 'Memory of an idle sidecar', source: 'steady.ts' },
    },
    {
      name: `private memory after ${total} 000 requests`,
      unit: 'MiB',
      ...after,
      bar: plus(0, after.bare, 'MiB'),
      promise: { text: 'Memory of a sidecar after heavy load', source: 'steady.ts' },
    },
  ]
}
