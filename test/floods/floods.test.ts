import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { startChild, startSidecar } from '../../src/tools/demo/sidecar.ts'
import { createSimulator } from '../../src/tools/simulator/simulator.ts'
import { callUntil } from './callers.ts'

const WARM_UP_MS = 1000
const CALM_MS = 4000

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

function after(ms: number): () => boolean {
  const end = performance.now() + ms
  return () => performance.now() > end
}

test.skipIf(isLimited)('a sidecar serves callers in bounded memory under a flood', async () => {
  await using simulator = await createSimulator()
  await using sidecar = await startSidecar('dist/wimds.js', simulator)
  await callUntil(after(WARM_UP_MS), sidecar)
  const before = await callUntil(after(CALM_MS), sidecar)
  const script = fileURLToPath(new URL('attacker.ts', import.meta.url))
  await using attacker = startChild(script, [new URL(sidecar.origin).port], {})
  const seen = await callUntil(() => attacker.hasEnded() || attacker.output() !== '', sidecar)
  const grewMib = seen.peakMib - before.peakMib
  process.stdout.write(
    `p99 ${before.p99Ms.toFixed(1)} → ${seen.p99Ms.toFixed(1)} ms, slowest new caller ${seen.slowestNewMs.toFixed(0)} ms, ` +
      `${before.peakMib.toFixed(0)} + ${grewMib.toFixed(0)} MiB, ${attacker.output()}\n`,
  )

  expect(attacker.output()).toContain('"closed":')
  expect(sidecar.hasEnded()).toBe(false)
  expect(seen.statuses).toEqual(new Set([200]))
  const slowness = Math.max(1, before.p99Ms / CALM_P99_MS)
  expect(seen.slowestNewMs).toBeLessThan(NEW_CALLER_MS * slowness)
  expect(seen.p99Ms).toBeLessThan(LATE_MS * slowness)
  expect(grewMib).toBeLessThan(GROWTH_MIB)
})
