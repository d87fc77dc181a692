import { afterEach, beforeEach, expect, onTestFinished, test, vi } from 'vitest'
import { watchMemory } from '../../../src/node/agent/broker-memory.ts'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

const MIB = 1024 * 1024

/** Watches brokers that have so many MiB, and an agent that has 40. Returns why brokers were ended, by their position. */
function setUp(sizes: (number | undefined)[], limitMiB?: number) {
  const ended: [number, string][] = []
  const stopped = new AbortController()
  onTestFinished(() => stopped.abort())
  watchMemory({
    all: () =>
      sizes.map((size, at) => ({
        pid: size === undefined ? undefined : at + 1000,
        kill: (reason) => ended.push([at, reason]),
      })),
    maxBytes: 100 * MIB,
    limitBytes: limitMiB === undefined ? undefined : limitMiB * MIB,
    signal: stopped.signal,
    readBytes: (pid) => (pid === process.pid ? 40 : (sizes[pid - 1000] ?? 0)) * MIB,
  })
  return ended
}

test('a broker above its limit is ended within a second, and no other one', () => {
  const sizes = [30, 99, undefined]
  const ended = setUp(sizes)
  vi.advanceTimersByTime(5000)
  expect(ended).toEqual([])
  sizes[1] = 101
  vi.advanceTimersByTime(1000)
  expect(ended).toEqual([[1, 'it had 101 MiB, more than 100 MiB']])
})

test('the largest broker is ended when all have nine tenths of the limit of the container', () => {
  const sizes = [60, 80]
  const ended = setUp(sizes, 200)
  vi.advanceTimersByTime(1000)
  expect(ended).toEqual([])
  sizes[0] = 61
  vi.advanceTimersByTime(1000)
  expect(ended).toEqual([
    [
      1,
      expect.stringContaining(
        'it had the most memory, 80 MiB, when agent and brokers had 181 MiB of 200 MiB',
      ),
    ],
  ])
})

test('what this process has is read from the kernel', () => {
  const ended: string[] = []
  const stopped = new AbortController()
  onTestFinished(() => stopped.abort())
  const kill = (reason: string) => ended.push(reason)
  const { signal } = stopped
  watchMemory({
    all: () => [{ pid: process.pid, kill }],
    maxBytes: MIB,
    limitBytes: undefined,
    signal,
  })
  vi.advanceTimersByTime(1000)
  expect(ended).toEqual([expect.stringMatching(/^it had \d{2,3} MiB, more than 1 MiB$/)])
})
