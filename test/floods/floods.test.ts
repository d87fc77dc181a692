import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { startChild, startSidecar } from '../../src/tools/demo/sidecar.ts'
import { createSimulator } from '../../src/tools/simulator/simulator.ts'
import type { Attack } from './attacker.ts'
import { callFor } from './callers.ts'

const WARM_UP_MS = 1000
const CALM_MS = 4000
/** Longer than the timeout for headers and the interval of its check. */
const FLOOD_MS = 13_000

/**
 * The limit for the p99 of a well-behaved caller during the flood. The aim is three times the idle one; the test
 * prints both, but the attacker, the sidecar and the callers share the cores, so that the limit is generous.
 */
const LATE_MS = 100
/** The p99 of a caller before the flood is at most this on an idle machine. The limits grow with it on a busy one. */
const CALM_P99_MS = 5
const GROWTH_MIB = 64
/** The kernel retries a connection after a second if the accept queue is full. */
const NEW_CALLER_MS = 1000

/** The files that the attacker opens. */
const DESCRIPTORS = 9000
const [, limit] =
  /^Max open files\s+\S+\s+(\S+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? []
const isLimited = limit !== 'unlimited' && Number(limit) < DESCRIPTORS
if (isLimited) process.stdout.write(`skipped: a process may open ${limit} files (ulimit -Hn)\n`)

test.skipIf(isLimited)('a sidecar serves callers in bounded memory under a flood', async () => {
  await using simulator = await createSimulator()
  await using sidecar = await startSidecar('dist/wimds.js', simulator)
  await callFor(WARM_UP_MS, sidecar)
  const before = await callFor(CALM_MS, sidecar)
  const script = fileURLToPath(new URL('attacker.ts', import.meta.url))
  await using attacker = startChild({ script, args: [new URL(sidecar.origin).port], env: {} })
  const seen = await callFor(FLOOD_MS, sidecar)
  await attacker[Symbol.asyncDispose]()
  const attack: Attack = JSON.parse(attacker.output())
  const after = await callFor(CALM_MS, sidecar)
  const grewMib = seen.peakMib - before.peakMib
  process.stdout.write(
    `p99 ${before.p99Ms.toFixed(1)} → ${seen.p99Ms.toFixed(1)} → ${after.p99Ms.toFixed(1)} ms, ` +
      `slowest new caller ${seen.slowestNewMs.toFixed(0)} ms, ` +
      `${before.peakMib.toFixed(0)} + ${grewMib.toFixed(0)} MiB, ${JSON.stringify(attack)}\n`,
  )

  expect(sidecar.hasEnded()).toBe(false)
  expect(Object.keys({ ...seen.statuses, ...after.statuses })).toEqual(['200'])
  const slowness = Math.max(1, before.p99Ms / CALM_P99_MS)
  expect(seen.slowestNewMs).toBeLessThan(NEW_CALLER_MS * slowness)
  expect(seen.p99Ms).toBeLessThan(LATE_MS * slowness)
  expect(grewMib).toBeLessThan(GROWTH_MIB)
  expect(attack.opened).toBeGreaterThanOrEqual(8500)
  // By the timeout of the headers.
  expect(attack.closed).toBeGreaterThanOrEqual(300)
})
