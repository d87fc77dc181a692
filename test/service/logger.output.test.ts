import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, constants, openSync } from 'node:fs'
import { Socket } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { expect, onTestFinished, test } from 'vitest'
import { createFolder } from '../fixtures/folder.ts'

const SCRIPT = join(import.meta.dirname, 'write-lines.ts')
/** More than a pipe and the buffer take. */
const MANY = 4000

/** Starts a process that runs the script. Its standard output is this descriptor, or else a pipe. */
function start(program: string, args: readonly string[], fd: number | 'pipe' = 'pipe') {
  const child = spawn(program, args, { stdio: ['ignore', fd, 'inherit', 'ipc'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  return {
    stdout: child.stdout ?? new Socket(),
    disconnect: () => child.disconnect(),
    /**
     * Lets the process write lines, or delete a file. Resolves to the number of lines that it has dropped until then;
     * undefined if it has ended.
     */
    ask: async (asked: number | string): Promise<number | undefined> => {
      child.send(asked)
      const ended = once(child, 'exit').then(() => [])
      const [dropped]: number[] = await Promise.race([once(child, 'message'), ended])
      return dropped
    },
  }
}

const parse = (line: string): Record<string, unknown> => JSON.parse(line)

test('lines flow again after a stalled reader reads again, and each dropped one is counted', async () => {
  const { ask, stdout } = start(process.execPath, [SCRIPT])
  const dropped = (await ask(MANY)) ?? 0
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
  const processes = [1, 2].map(() => start(process.execPath, [SCRIPT], fd))
  const dropped = await Promise.all(processes.map(({ ask }) => ask(MANY)))
  const reader = new Socket({ fd: openSync(path, constants.O_RDONLY | constants.O_NONBLOCK) })
  onTestFinished(() => {
    reader.destroy()
    closeSync(fd)
  })

  let count = dropped.reduce<number>((sum, each = 0) => sum + MANY - each, 0)
  expect(count).toBeLessThan(2 * MANY)
  for await (const line of createInterface({ input: reader })) {
    expect(parse(line)).toMatchObject({ event: 'token_obtained' })
    count -= 1
    if (count === 0) break
  }
  expect(count).toBe(0)
})

test('lines flow again after a full disk was freed, and each dropped one is counted', async ({
  skip,
}) => {
  using folder = createFolder()
  const disk = folder.path
  // Only the child sees the disk, so it deletes the file and prints the log.
  const run = `mount -t tmpfs -o size=256k tmpfs ${disk} || exit 9
    head -c 131072 /dev/zero > ${disk}/other; "$0" ${SCRIPT} > ${disk}/log && cat ${disk}/log`
  const args = ['--mount', '--map-root-user', 'sh', '-c', run, process.execPath]
  const { ask, stdout, disconnect } = start('unshare', args)
  const output = text(stdout)
  const dropped = await ask(1000)
  skip(dropped === undefined, 'no file system can be mounted')
  assert(dropped !== undefined)
  expect(dropped).toBeGreaterThan(0)

  await ask(join(disk, 'other'))
  expect(await ask(30)).toBe(dropped)
  disconnect()
  const events = (await output).trimEnd().split('\n').map(parse)
  const expected = Array.from({ length: 1030 }, (_, index) => index + 1).toSpliced(
    1000 - dropped,
    dropped,
  )
  expect(events.flatMap(({ number }) => number ?? [])).toEqual(expected)
  expect(events.at(-30)).toMatchObject({ event: 'log_output_stalled', count: dropped })
})
