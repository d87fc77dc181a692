/** Measures the latency of well-behaved callers, and the memory of the sidecar. */
import { Agent } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Timed, timed } from '../../bench/callers.ts'
import { percentile } from '../../bench/figures.ts'
import { privateMib } from '../../bench/processes.ts'
import type { Sidecar } from '../../src/tools/demo/sidecar.ts'

/** The measurements of one run. */
export interface Seen {
  /** The latencies of the caller that keeps its connection. */
  readonly p99Ms: number
  /** The latencies of the caller that opens a connection for each request. */
  readonly slowestNewMs: number
  /** The statuses of the answers to both callers; 0: no answer. */
  readonly statuses: ReadonlySet<number>
  readonly peakMib: number
}

const KEPT_EVERY_MS = 5
const NEW_EVERY_MS = 20
const LOOK_EVERY_MS = 20

export async function callUntil(isOver: () => boolean, { tokenUrl, pid }: Sidecar): Promise<Seen> {
  const url = `${tokenUrl}?api-version=2018-02-01&resource=https://vault.azure.net`
  /** Repeats the requests until the end, with pauses. */
  async function repeat<T>(pauseMs: number, act: () => Promise<T>): Promise<readonly T[]> {
    const results: T[] = []
    while (!isOver()) {
      results.push(await act())
      await sleep(pauseMs)
    }
    return results
  }
  const agent = new Agent({ keepAlive: true })
  const single = new Agent({ keepAlive: false })
  const [kept, fresh, mib] = await Promise.all([
    repeat(KEPT_EVERY_MS, () => answered(url, agent)),
    repeat(NEW_EVERY_MS, () => answered(url, single)),
    repeat(LOOK_EVERY_MS, () => privateMib({ pid })),
  ])
  agent.destroy()
  return {
    p99Ms: percentile(
      kept.map(({ ms }) => ms),
      0.99,
    ),
    slowestNewMs: Math.max(...fresh.map(({ ms }) => ms)),
    statuses: new Set([...kept, ...fresh].map(({ status }) => status)),
    peakMib: Math.max(...mib),
  }
}

/** If the server has closed the connection, tries again once, as every SDK does. The time is the sum of both tries. */
async function answered(url: string, agent: Agent): Promise<Timed> {
  const first = await timed(url, agent)
  if (first.status !== 0) return first
  const second = await timed(url, agent)
  return { ...second, ms: first.ms + second.ms }
}
