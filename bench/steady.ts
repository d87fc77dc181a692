/** A steady load on one cached token: processor time, rate, latency, memory. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Simulator } from '../src/simulator/simulator.ts'
import { firstAnswer } from './callers.ts'
import { type Figure, median, percentile, plus, times } from './figures.ts'
import { load, type Load } from './load.ts'
import { privateMib, processorUs, type Server, startBaseline, startSidecar } from './processes.ts'

const ROUNDS = 5
const REQUESTS = 40_000
/** V8 collects what the start left behind about eight seconds after a process has become idle. */
const SETTLE_MS = 20_000

interface Measured {
  readonly idleMib: number
  readonly afterMib: number
  readonly rounds: readonly (Load & { readonly cpuUs: number })[]
}

/** Rounds of both servers in turn, so that what else the machine does meets both. */
export async function steady(simulator: Simulator): Promise<readonly Figure[]> {
  const sidecar = await startSidecar(simulator)
  const baseline = await startBaseline(await firstAnswer(sidecar.tokenUrl()))
  try {
    await firstAnswer(baseline.tokenUrl())
    await sleep(SETTLE_MS)
    const idle = [await privateMib(sidecar), await privateMib(baseline)] as const
    const rounds: [sidecar: Measured['rounds'], baseline: Measured['rounds']] = [[], []]
    for (let round = 0; round < ROUNDS; round += 1) {
      rounds[0] = [...rounds[0], await oneRound(sidecar)]
      rounds[1] = [...rounds[1], await oneRound(baseline)]
    }
    await sleep(SETTLE_MS)
    return figures(
      { idleMib: idle[0], afterMib: await privateMib(sidecar), rounds: rounds[0] },
      { idleMib: idle[1], afterMib: await privateMib(baseline), rounds: rounds[1] },
    )
  } finally {
    await Promise.all([sidecar.stop(), baseline.stop()])
  }
}

async function oneRound(server: Server): Promise<Measured['rounds'][number]> {
  const before = await processorUs(server)
  const result = await load(server.tokenUrl(), REQUESTS)
  return { ...result, cpuUs: ((await processorUs(server)) - before) / REQUESTS }
}

function figures(wimds: Measured, bare: Measured): readonly Figure[] {
  const both = (of: (measured: Measured) => number) => ({ wimds: of(wimds), bare: of(bare) })
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
    { name: 'private memory, idle', unit: 'MiB', ...idle, bar: plus(8, idle.bare, 'MiB') },
    {
      name: `private memory after ${total} 000 requests`,
      unit: 'MiB',
      ...after,
      bar: plus(0, after.bare, 'MiB'),
    },
  ]
}
