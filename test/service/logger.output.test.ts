import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { Socket } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { expect, onTestFinished, test } from 'vitest'

/** More than a pipe and the buffer hold. */
const MANY = 4000

const parse = (line: string): Record<string, unknown> => JSON.parse(line)

test('lines flow again after a stalled reader reads again, and each dropped one is counted', async () => {
  const script = join(import.meta.dirname, 'write-lines.ts')
  const child = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'inherit', 'ipc'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  /** Makes the process write this number of lines. Returns how many lines it has dropped so far. */
  const ask = async (count: number): Promise<number> => {
    child.send(count)
    const [dropped = NaN]: number[] = await once(child, 'message')
    return dropped
  }
  const dropped = await ask(MANY)
  expect(dropped).toBeGreaterThan(0)

  const lines = createInterface({ input: child.stdout ?? new Socket() })
  const received = lines[Symbol.asyncIterator]()
  const read = async (count: number) => {
    const events: Record<string, unknown>[] = []
    while (events.length < count) events.push(parse((await received.next()).value ?? ''))
    return events
  }
  const first = await read(MANY - dropped)
  expect(first.map(({ number }) => number)).toEqual(first.map((_, index) => index + 1))

  expect(await ask(30)).toBe(dropped)
  const [next, stalled, ...others] = await read(31)
  expect(next).toMatchObject({ event: 'token_obtained', number: MANY + 1 })
  expect(stalled).toMatchObject({ level: 'warn', event: 'log_output_stalled', count: dropped })
  expect(others.map(({ number }) => number)).toEqual(others.map((_, index) => MANY + 2 + index))
})
