import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { createFolder } from '../../fixtures/folder.ts'
import { hasNoCompiler } from '../../fixtures/native.ts'
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from 'vitest'
import { readContainerBytes, watchMemory } from '../../../src/node/agent/broker-memory.ts'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

const MIB = 1024 * 1024

/**
 * Watches brokers that have so many MiB, and an agent that has 40, in a container with `container.mib`. Returns why brokers
 * were ended, by their position.
 */
function setUp(
  sizes: (number | undefined)[],
  limitMiB?: number,
  container = { mib: 0 },
  { restart = true } = {},
) {
  const ended: [number, string][] = []
  const stopped = new AbortController()
  onTestFinished(() => stopped.abort())
  const brokers = sizes.map((_, at) => ({
    restarts: 0,
    get pid() {
      return sizes[at] === undefined ? undefined : at + 1000 + 100 * this.restarts
    },
    kill(reason: string) {
      ended.push([at, reason])
      if (restart) this.restarts += 1
    },
  }))
  watchMemory({
    all: () => brokers,
    maxBytes: 100 * MIB,
    limitBytes: limitMiB === undefined ? undefined : limitMiB * MIB,
    signal: stopped.signal,
    onError: (error) => ended.push([-1, String(error)]),
    readContainer: () => container.mib * MIB,
    readBytes: (pid) => (pid === process.pid ? 40 : (sizes[(pid - 1000) % 100] ?? 0)) * MIB,
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
        'it had the most memory, 80 MiB, when the container had 181 MiB of 200 MiB',
      ),
    ],
  ])
})

test('the largest broker is ended when the container has memory that no process has', () => {
  const container = { mib: 180 }
  const ended = setUp([30, 20], 200, container)
  vi.advanceTimersByTime(1000)
  expect(ended).toEqual([])
  container.mib = 181
  vi.advanceTimersByTime(1000)
  expect(ended).toEqual([[0, expect.stringContaining('when the container had 181 MiB of 200 MiB')]])
})

test('a broker whose end has not helped is spared, until nothing else is left or the container has room', () => {
  const container = { mib: 181 }
  const ended = setUp([30, 10, 20], 200, container)
  const order = () => ended.splice(0).map(([at]) => at)
  vi.advanceTimersByTime(4000)
  expect(order()).toEqual([0, 2, 1, 0])
  container.mib = 180
  vi.advanceTimersByTime(1000)
  expect(order()).toEqual([])
  container.mib = 181
  vi.advanceTimersByTime(1000)
  expect(order()).toEqual([0])
})

test('no other broker is ended while one that has been killed still has its memory', () => {
  const ended = setUp([30, 20], 200, { mib: 181 }, { restart: false })
  vi.advanceTimersByTime(3000)
  expect(ended.map(([at]) => at)).toEqual([0])
})

test('a failed read is reported, and the next one a second later counts', () => {
  const sizes = [30]
  const ended = setUp(sizes)
  Object.defineProperty(sizes, '0', {
    get: () => {
      throw new Error('EMFILE')
    },
    configurable: true,
  })
  vi.advanceTimersByTime(1000)
  expect(ended).toEqual([[-1, 'Error: EMFILE']])
  Object.defineProperty(sizes, '0', { value: 101 })
  vi.advanceTimersByTime(1000)
  expect(ended).toEqual([expect.anything(), [0, 'it had 101 MiB, more than 100 MiB']])
})

test.each([
  ['memory.current', 'memory.stat', 'anon 5\nfile 60\nshmem 7\nslab_reclaimable 8\nslab 9\n'],
  [
    'memory/memory.usage_in_bytes',
    'memory/memory.stat',
    'cache 1\ntotal_cache 68\ntotal_shmem 7\n',
  ],
])(
  'what the container has without files that can be dropped is read from %s',
  (usage, stat, text) => {
    using cgroup = createFolder()
    cgroup.write(usage, '100\n')
    cgroup.write(stat, text)
    expect(readContainerBytes(cgroup.path)).toBe(39)
  },
)

test('without a cgroup nothing is known of the container', () => {
  using cgroup = createFolder()
  expect(readContainerBytes(cgroup.path)).toBe(0)
})

test.skipIf(hasNoCompiler)('memory that a process shares counts as its own', async () => {
  using folder = createFolder()
  const source = `
    #include <stdio.h>
    #include <string.h>
    #include <sys/mman.h>
    #include <unistd.h>
    int main(void) {
      size_t size = 50 << 20;
      memset(mmap(0, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0), 1, size);
      puts("ready");
      fflush(stdout);
      pause();
    }`
  const program = folder.file('shares')
  spawnSync('gcc', ['-o', program, folder.write('shares.c', source)])
  const child = spawn(program)
  await once(child.stdout, 'data')
  const ended: string[] = []
  const stopped = new AbortController()
  watchMemory({
    all: () => [{ pid: child.pid, kill: (reason) => ended.push(reason) }],
    maxBytes: 40 * MIB,
    limitBytes: undefined,
    signal: stopped.signal,
    onError: () => {},
  })
  vi.advanceTimersByTime(1000)
  stopped.abort()
  child.kill()
  expect(ended).toEqual(['it had 50 MiB, more than 40 MiB'])
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
    onError: () => {},
  })
  vi.advanceTimersByTime(1000)
  expect(ended).toEqual([expect.stringMatching(/^it had \d{2,3} MiB, more than 1 MiB$/)])
})
