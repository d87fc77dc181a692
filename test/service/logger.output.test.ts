import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, constants, openSync } from 'node:fs'
import { Socket } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { expect, onTestFinished, test } from 'vitest'
import { createFolder } from '../fixtures/folder.ts'

const SCRIPT = join(import.meta.dirname, 'write-lines.ts')
/** More than a pipe and the buffer take. */
const MANY = 4000

/** Starts a process that runs the script. Its standard output is this descriptor, or else a pipe. */
function start(fd: number | 'pipe' = 'pipe') {
  const child = spawn(process.execPath, [SCRIPT], { stdio: ['ignore', fd, 'inherit', 'ipc'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  return {
    stdout: child.stdout ?? new Socket(),
    /** Lets the process write so many lines. Resolves to the number of lines that it has dropped until then. */
    ask: async (count: number): Promise<number> => {
      child.send(count)
      const [dropped = NaN]: number[] = await once(child, 'message')
      return dropped
    },
  }
}

const parse = (line: string): Record<string, unknown> => JSON.parse(line)

test('lines flow again after a stalled reader reads again, and each dropped one is counted', async () => {
  const { ask, stdout } = start()
  const dropped = await ask(MANY)
  expect(dropped).toBeGreaterThan(0)

  const lines = createInterface({ input: stdout })
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

test('lines of two processes that share a pipe stay whole', async () => {
  using folder = createFolder()
  const path = folder.file('pipe')
  execFileSync('mkfifo', [path])
  const fd = openSync(path, constants.O_RDWR | constants.O_NONBLOCK)
  const processes = [1, 2].map(() => start(fd))
  const dropped = await Promise.all(processes.map(({ ask }) => ask(MANY)))
  const reader = new Socket({ fd: openSync(path, constants.O_RDONLY | constants.O_NONBLOCK) })
  onTestFinished(() => {
    reader.destroy()
    closeSync(fd)
  })

  let count = dropped.reduce((sum, each) => sum + MANY - each, 0)
  expect(count).toBeLessThan(2 * MANY)
  for await (const line of createInterface({ input: reader })) {
    expect(parse(line)).toMatchObject({ event: 'token_obtained' })
    count -= 1
    if (count === 0) break
  }
  expect(count).toBe(0)
})
