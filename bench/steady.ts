/** A steady load on one cached token: processor time, rate, latency, memory. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Simulator } from '../src/tools/simulator/simulator.ts'
import { firstAnswer } from './callers.ts'
import { type Figure, median, percentile, plus, times } from './figures.ts'
import { load, type Load } from './load.ts'
import { privateMib, processorUs, type Server, startBaseline, startSidecar } from './processes.ts'

/** The number of processes of each server, since two of the same build differ by a tenth in CPU time. */
const PROCESSES = 3
const ROUNDS = 5
const REQUESTS = 40_000
/** V8 collects the garbage of the start about eight seconds after a process has become idle. */
const SETTLE_MS = 20_000

type Round = Load & { readonly cpuUs: number }

/** The processes of one server, and their measurements. */
interface Measured {
  readonly servers: Server[]
  readonly rounds: Round[]
  idleMib: readonly number[]
  afterMib: readonly number[]
}

/** Runs the rounds of all servers in turn, so that other load of the machine affects each of them. */
export async function steady(simulator: Simulator): Promise<readonly Figure[]> {
  const [wimds, bare] = [createMeasured(), createMeasured()]
  const all = [wimds, bare]
  const servers = () => all.flatMap((each) => each.servers)
  try {
    for (let count = 0; count < PROCESSES; count += 1) {
      const sidecar = await startSidecar(simulator)
      wimds.servers.push(sidecar)
      bare.servers.push(await startBaseline(await firstAnswer(sidecar.tokenUrl)))
    }
    for (const server of servers()) await firstAnswer(server.tokenUrl)
    await sleep(SETTLE_MS)
    for (const each of all) each.idleMib = await Promise.all(each.servers.map(privateMib))
    for (let round = 0; round < ROUNDS * PROCESSES; round += 1) {
      for (const each of all) {
        const server = each.servers[round % PROCESSES]
        if (server !== undefined) each.rounds.push(await oneRound(server))
      }
    }
    await sleep(SETTLE_MS)
    for (const each of all) each.afterMib = await Promise.all(each.servers.map(privateMib))
    return figures(wimds, bare)
  } finally {
    await Promise.all(servers().map((server) => server.stop()))
  }
}

const createMeasured = (): Measured => ({ servers: [], rounds: [], idleMib: [], afterMib: [] })

async function oneRound(server: Server): Promise<Round> {
  const before = await processorUs(server)
  const result = await load(server.tokenUrl, REQUESTS)
  return { ...result, cpuUs: ((await processorUs(server)) - before) / REQUESTS }
}

function figures(wimds: Measured, bare: Measured): readonly Figure[] {
  const both = (of: (measured: Measured) => number) => ({
    wimds: of(wimds),
    bare: of(bare),
  })
  const latency = (share: number) =>
    both(({ rounds }) => median(rounds.map(({ latencies }) => percentile(latencies, share))))
  const cpu = both(({ rounds }) => median(rounds.map(({ cpuUs }) => cpuUs)))
  const rate = both(({ rounds }) => median(rounds.map((round) => round.requestsPerSecond)))
  const idle = both(({ idleMib }) => median(idleMib))
  const after = both(({ afterMib }) => median(afterMib))
  const total = (ROUNDS * REQUESTS) / 1000
  return [
    { name: 'CPU per cached request', unit: 'µs', ...cpu, bar: times(1.7, cpu.bare) },
    { name: 'cached requests', unit: '/s', ...rate },
    { name: 'latency p50, 16 callers', unit: 'ms', ...latency(0.5) },
    { name: 'latency p99', unit: 'ms', ...latency(0.99) },
    { name: 'latency p99.9', unit: 'ms', ...latency(0.999) },
    {
      name: 'private memory, idle',
      unit: 'MiB',
      ...idle,
      bar: plus(8, idle.bare, 'MiB'),
    },
    {
      name: `private memory after ${total} 000 requests`,
      unit: 'MiB',
      ...after,
      bar: plus(0, after.bare, 'MiB'),
    },
  ]
}
