import { describe, expect, test } from 'vitest'
import { startSidecar } from '../../src/tools/demo/sidecar.ts'
import { createSimulator } from '../../src/tools/simulator/simulator.ts'
import { type Flood, hasDescriptors, under } from './attack.ts'
import { callFor } from './callers.ts'

const WARM_UP_MS = 1000
const CALM_MS = 4000
/** Longer than the timeout for headers and the interval of its check. */
const FLOOD_MS = 13_000

/**
 * The limit for the p99 of a well-behaved caller during a flood. The aim is three times the idle one; the test
 * prints both, but the attacker, the sidecar and the callers share the cores, so that the limit is generous.
 */
const LATE_MS = 100
/** The p99 of a caller before the flood is at most this on an idle machine. The limits grow with it on a busy one. */
const CALM_P99_MS = 5
const GROWTH_MIB = 64
/** The kernel retries a connection after a second if the accept queue is full. */
const NEW_CALLER_MS = 1000

const ALL: readonly Flood[] = ['idle', 'slowloris', 'bodies']
/** How many connections each opens at the very least. */
const OPENED: Readonly<Record<Flood, number>> = {
  idle: 8000,
  slowloris: 300,
  bodies: 200,
}
/** How many of them the sidecar closes at least: each that drips its headers, by the timeout. */
const CLOSED: Readonly<Record<Flood, number>> = { idle: 0, slowloris: 300, bodies: 0 }

describe.skipIf(!hasDescriptors())('a sidecar with the usual settings', () => {
  test.each(
    [...ALL.map((flood) => [flood]), ALL].map((floods) => [floods.join(' + '), floods] as const),
  )('serves well-behaved callers in bounded memory under a flood of %s', async (name, floods) => {
    await using simulator = await createSimulator()
    await using sidecar = await startSidecar('dist/wimds.js', simulator)
    await callFor(WARM_UP_MS, sidecar)
    const before = await callFor(CALM_MS, sidecar)
    const { port } = new URL(sidecar.origin)
    const { attack, seen } = await under(floods, port, () => callFor(FLOOD_MS, sidecar))
    const after = await callFor(CALM_MS, sidecar)
    const grewMib = seen.peakMib - before.peakMib
    process.stdout.write(
      `${name}: p99 ${before.p99Ms.toFixed(1)} → ${seen.p99Ms.toFixed(1)} → ${after.p99Ms.toFixed(1)} ms, ` +
        `slowest new caller ${seen.slowestNewMs.toFixed(0)} ms, ` +
        `${before.peakMib.toFixed(0)} + ${grewMib.toFixed(0)} MiB, ${JSON.stringify(attack)}\n`,
    )

    expect(sidecar.hasEnded()).toBe(false)
    expect(Object.keys({ ...seen.statuses, ...after.statuses })).toEqual(['200'])
    const slowness = Math.max(1, before.p99Ms / CALM_P99_MS)
    expect(seen.slowestNewMs).toBeLessThan(NEW_CALLER_MS * slowness)
    expect(seen.p99Ms).toBeLessThan(LATE_MS * slowness)
    expect(grewMib).toBeLessThan(GROWTH_MIB)
    const opened = floods.reduce((sum, flood) => sum + OPENED[flood], 0)
    expect(attack.opened).toBeGreaterThanOrEqual(opened)
    const closed = floods.reduce((sum, flood) => sum + CLOSED[flood], 0)
    expect(attack.closed).toBeGreaterThanOrEqual(closed)
  })
})
