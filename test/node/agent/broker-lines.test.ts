import { Readable } from 'node:stream'
import { setImmediate, setTimeout as sleep } from 'node:timers/promises'
import { expect, onTestFinished, test, vi } from 'vitest'
import { waitFor } from '../../fixtures/connection.ts'
import { readLines } from '../../../src/node/agent/broker-lines.ts'

const read = (text: string, onLine: (line: string) => void) =>
  readLines(Readable.from([Buffer.from(text)]), onLine)

test('a line that cannot be handled is misuse, with the reason', async () => {
  const nested = `${'['.repeat(100_000)}${']'.repeat(100_000)}\n`
  expect(await read(nested, (line) => void JSON.stringify(JSON.parse(line)))).toBe(
    'it sent a line that could not be handled: Maximum call stack size exceeded',
  )
})

test('a gigabyte without an end of a line is misuse, and is not read', async () => {
  let chunks = 0
  const flood = Readable.from({
    *[Symbol.iterator]() {
      for (; chunks < 1024; chunks += 1) yield Buffer.alloc(1024 * 1024, 'x')
    },
  })
  expect(await readLines(flood, () => {})).toBe('it sent a line of more than 2097152 bytes')
  expect(chunks).toBeLessThan(32)
})

test('of a flood of lines 8192 are read at once, 400 in a second, and each after the one before', async () => {
  vi.useFakeTimers({ toFake: ['performance'] })
  onTestFinished(() => void vi.useRealTimers())
  let handled = 0
  let running = 0
  let most = 0
  void readLines(Readable.from([Buffer.from('\n'.repeat(20_000))]), async () => {
    most = Math.max(most, (running += 1))
    if (handled % 1000 === 0) await setImmediate()
    running -= 1
    handled += 1
  })
  for (const [from, to] of [
    [8000, 8192],
    [8500, 8592],
  ] as const) {
    await waitFor(() => handled >= from || undefined)
    await sleep(100)
    expect(handled).toBeLessThanOrEqual(to)
    vi.advanceTimersByTime(1000)
  }
  expect(most).toBe(1)
})

test('the agent does other work between the lines of one read', async () => {
  let handled = 0
  const reading = read('\n'.repeat(5000), () => void (handled += 1))
  await setImmediate()
  expect(handled).toBeLessThan(1000)
  await reading
  expect(handled).toBe(5000)
})
