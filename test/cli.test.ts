import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { constants, writeSync } from 'node:fs'
import { open, readFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { text } from 'node:stream/consumers'
import { expect, test } from 'vitest'
import { createSimulator } from '../src/tools/simulator/simulator.ts'
import { createFolder } from './fixtures/folder.ts'
import { listening } from './fixtures/listening.ts'
import { namedPipe } from './fixtures/pipe.ts'
import { BUILT_CLI, runNode, runProgram, waitForEnd } from './fixtures/run-program.ts'
import { environmentOf } from './fixtures/served.ts'
import { freePort } from './support/free-port.ts'

/** Runs the command line with nothing in its environment. */
const wimds = (...args: string[]) => runProgram(process.execPath, [BUILT_CLI, ...args])

test.each([
  [[], 'COMMAND'],
  [['-h'], 'COMMAND'],
  [['help', 'probe'], 'probe [FLAGS]\n'],
  [['probe', '--port', '1', '-h'], 'probe [FLAGS]\n'],
])('prints the usage for %j: wimds %s', async (args: string[], usage) => {
  const { code, stdout, stderr } = await wimds(...args)
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  expect(stdout.startsWith(`usage: wimds ${usage}`)).toBe(true)
})

test.each([
  [['prob'], 'wimds: unknown command "prob". Did you mean probe?'],
  [['--help', 'docter'], 'wimds: unknown command "docter". Did you mean doctor?'],
  [['constructor'], 'wimds: unknown command "constructor"'],
  [['--prob'], 'wimds: --prob is not a flag of this command. Did you mean --probe?'],
])('explains the mistake in %j, and suggests a similar word', async (args, message) => {
  const stderr = `${message}\n\nSee wimds --help.\n`
  expect(await wimds(...args)).toEqual({ code: 64, stdout: '', stderr })
})

test('prints its version', async () => {
  expect((await wimds('version')).stdout).toMatch(/^wimds \d+\.\d+\.\d+ \(node v\d+/)
})

test('exits with 64 on an unsupported Node', async () => {
  const old = `Object.defineProperty(process, 'versions', { value: { node: '22.18.0' } })`
  const preload = `data:text/javascript,${encodeURIComponent(old)}`
  expect(await runNode(['--import', preload, BUILT_CLI, 'version'])).toEqual({
    code: 64,
    stdout: '',
    stderr: 'wimds: Node 22.18.0 is too old. Fix: install Node 22.19 or later\n',
  })
  expect(JSON.parse(await readFile('package.json', 'utf8')).engines.node).toBe('>=22.19')
})

test('exits with 0 when the reader closes the pipe', async () => {
  const child = spawn(process.execPath, [BUILT_CLI, 'env', '--help'], {
    env: {},
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  child.stdout.destroy()
  const [stderr] = await Promise.all([text(child.stderr), once(child, 'close')])
  expect({ code: child.exitCode, stderr }).toEqual({ code: 0, stderr: '' })
})

/** Computes for 10 s once the command line has set up how it ends. */
const BUSY = `data:text/javascript,${encodeURIComponent(`
  setInterval(() => {
    if (process.listenerCount('uncaughtException') === 0) return
    process.stderr.write('busy')
    for (const end = Date.now() + 10_000; Date.now() < end; );
  }, 1)`)}`

test('SIGTERM ends a command while it computes', async () => {
  const child = spawn(process.execPath, ['--import', BUSY, BUILT_CLI, 'uninject', '-'])
  await once(child.stderr, 'data')
  child.kill('SIGTERM')
  await once(child, 'close')
  expect(child.signalCode).toBe('SIGTERM')
})

test('SIGINT ends a command while it waits', async () => {
  const server = createServer()
  await using silent = await listening(server)
  const probed = once(server, 'connection')
  const child = spawn(process.execPath, [BUILT_CLI, 'probe', '--port', String(silent.port)])
  await probed
  child.kill('SIGINT')
  await once(child, 'close')
  expect(child.signalCode).toBe('SIGINT')
})

test('keeps serving when its log cannot be written', async () => {
  await using simulator = await createSimulator()
  const port = await freePort()
  const full = await open('/dev/full', 'w')
  const child = spawn(process.execPath, [BUILT_CLI, 'serve'], {
    env: { ...environmentOf(simulator), WIMDS_LISTEN: `127.0.0.1:${port}` },
    stdio: ['ignore', full.fd, 'pipe'],
  })
  await full.close()
  const ended = waitForEnd(child)
  const answer = () => fetch(`http://127.0.0.1:${port}/readyz`).then(({ status }) => status, String)
  await expect.poll(answer).toBe(200)
  child.kill('SIGTERM')
  expect(await ended).toEqual({ code: 0, stdout: '', stderr: '' })
})

test('keeps serving when the reader of its log stalls, and logs again afterwards', async () => {
  using directory = createFolder()
  await using simulator = await createSimulator()
  const pipe = await namedPipe(directory.file('log'))
  const log = await open(pipe, constants.O_RDWR | constants.O_NONBLOCK)
  fillUp(log.fd)
  const port = await freePort()
  const origin = `http://127.0.0.1:${port}`
  const child = spawn(process.execPath, [BUILT_CLI, 'serve'], {
    env: { ...environmentOf(simulator), WIMDS_LISTEN: `127.0.0.1:${port}` },
    stdio: ['ignore', log.fd, 'inherit'],
  })
  const ended = once(child, 'close')
  try {
    const answer = () => fetch(`${origin}/readyz`).then(({ status }) => status, String)
    await expect.poll(answer).toBe(200)
    await log.read(Buffer.alloc(PIPE_BYTES))
    // The next line flushes the buffered ones.
    await fetch(`${origin}/metadata/nothing`)
    const read = () =>
      log.read(Buffer.alloc(PIPE_BYTES)).then(
        ({ buffer, bytesRead }) => buffer.toString('utf8', 0, bytesRead),
        () => 'nothing yet',
      )
    await expect.poll(read).toContain('"event":"listening"')
    fillUp(log.fd)
  } finally {
    child.kill('SIGTERM')
    await ended
    await log.close()
  }
  expect(child.exitCode).toBe(0)
})

/** The default capacity of a pipe on Linux. */
const PIPE_BYTES = 65_536

function fillUp(fd: number): void {
  expect(() => {
    for (;;) writeSync(fd, Buffer.alloc(4096, '\n'))
  }).toThrow('EAGAIN')
}

test('exits after SIGTERM while an exchange is inflight', async () => {
  await using simulator = await createSimulator()
  const server = createServer()
  await using silent = await listening(server)
  const connected = once(server, 'connection')
  const child = spawn(process.execPath, [BUILT_CLI, 'serve'], {
    env: {
      ...environmentOf(simulator),
      AZURE_AUTHORITY_HOST: `https://127.0.0.1:${silent.port}/`,
      WIMDS_PREFETCH: 'https://vault.azure.net',
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = waitForEnd(child)
  await connected
  child.kill('SIGTERM')
  const { code, stdout } = await ended
  expect(code).toBe(0)
  expect(stdout.trim().split('\n').at(-1)).toContain('"event":"shutdown_complete"')
})
