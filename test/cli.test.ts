import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { constants, writeSync } from 'node:fs'
import { mkdtempDisposable, open, readFile } from 'node:fs/promises'
import { createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { createSimulator } from '../src/tools/simulator/simulator.ts'
import { portOf } from './fixtures/listening.ts'
import { namedPipe } from './fixtures/pipe.ts'
import { environmentOf } from './fixtures/served.ts'
import { freePort } from './support/free-port.ts'

const CLI = fileURLToPath(new URL('../src/cli.ts', import.meta.url))

/** Runs the command line with nothing in its environment. */
function wimds(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [CLI, ...args], {
    encoding: 'utf8',
    env: {},
    timeout: 20_000,
  })
  return { status, stdout, stderr }
}

test.each([[[]], [['help']], [['--help']], [['-h']]])(
  'prints its usage for %j',
  (args: string[]) => {
    const { status, stdout, stderr } = wimds(...args)
    expect(status).toBe(0)
    expect(stdout).toMatch(/^usage: wimds COMMAND/)
    expect(stderr).toBe('')
  },
)

test.each([
  [['help', 'probe']],
  [['--help', 'probe']],
  [['-h', 'probe']],
  [['probe', '--help']],
  [['probe', '--port', '1', '-h']],
])('explains a command for %j', (args: string[]) => {
  const { status, stdout, stderr } = wimds(...args)
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  expect(stdout).toMatch(/^usage: wimds probe \[FLAGS\]\n/)
})

test.each([
  [['prob'], 'wimds: unknown command "prob". Did you mean probe?\n\nSee wimds --help.\n'],
  [
    ['help', 'docter'],
    'wimds: unknown command "docter". Did you mean doctor?\n\nSee wimds --help.\n',
  ],
  [
    ['--help', 'docter'],
    'wimds: unknown command "docter". Did you mean doctor?\n\nSee wimds --help.\n',
  ],
  [
    ['probe', '--tiemout=1'],
    'wimds probe: --tiemout is not a flag of this command. Did you mean --timeout?\n\nSee wimds probe --help.\n',
  ],
  [
    ['env', '-o', 'jsn'],
    'wimds env: -o jsn: must be one of shell, dotenv, yaml, json. Did you mean json?\n\nSee wimds env --help.\n',
  ],
  [
    ['--prob'],
    'wimds: --prob is not a flag of this command. Did you mean --probe?\n\nSee wimds --help.\n',
  ],
  [['version', 'now'], 'wimds version: unexpected argument now\n\nSee wimds version --help.\n'],
])('explains what is wrong with %j, and suggests what may have been meant', (args, message) => {
  const { status, stdout, stderr } = wimds(...args)
  expect({ status, stdout, stderr }).toEqual({ status: 64, stdout: '', stderr: message })
})

test.each(['frob', '', 'constructor', '__proto__'])(
  'prints that the command %j is unknown, and exits with 64',
  (name) => {
    const { status, stdout, stderr } = wimds(name)
    expect(status).toBe(64)
    expect(stdout).toBe('')
    expect(stderr).toBe(`wimds: unknown command "${name}"\n\nSee wimds --help.\n`)
  },
)

test('prints its version, and with -o json a document', () => {
  expect(wimds('version').stdout).toMatch(/^wimds \d+\.\d+\.\d+ \(node v\d+/)
  const { status, stdout } = wimds('version', '-o', 'json')
  expect(status).toBe(0)
  expect(JSON.parse(stdout)).toEqual({
    schemaVersion: 1,
    version: expect.stringMatching(/^\d+\.\d+\.\d+/),
    node: expect.stringMatching(/^v\d+/),
  })
})

test('exits with 64 and names every missing variable', () => {
  const { status, stdout, stderr } = wimds('serve')
  expect(status).toBe(64)
  expect(stdout).toBe('')
  expect(stderr).toMatch(/^wimds serve: /)
  expect(stderr).toContain('AZURE_TENANT_ID')
  expect(stderr).toContain('AZURE_FEDERATED_TOKEN_FILE')
  expect(stderr).not.toMatch(/^\s+at /m)
})

test('exits with 64 for unknown flags and arguments', () => {
  const { status, stderr } = wimds('probe', '--frob', 'now')
  expect(status).toBe(64)
  expect(stderr).toBe(`wimds probe: --frob is not a flag of this command
wimds probe: unexpected argument now

See wimds probe --help.
`)
})

test('exits with 64 on an unsupported Node', async () => {
  const old = `Object.defineProperty(process, 'versions', { value: { node: '22.18.0' } })`
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    // The build adds the check.
    ['--import', `data:text/javascript,${encodeURIComponent(old)}`, 'dist/wimds.js', 'version'],
    { encoding: 'utf8', env: {}, timeout: 20_000 },
  )
  expect(status).toBe(64)
  expect(stdout).toBe('')
  expect(stderr).toBe('wimds: Node 22.18.0 is too old. Fix: install Node 22.19 or later\n')
  const { engines }: { engines: { node: string } } = JSON.parse(
    await readFile('package.json', 'utf8'),
  )
  expect(engines.node).toBe('>=22.19')
})

test('exits with 0 when the reader closes the pipe', async () => {
  const child = spawn(process.execPath, [CLI, 'env', '--help'], {
    env: {},
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  child.stdout.destroy()
  const errors: Buffer[] = []
  child.stderr.on('data', (part: Buffer) => errors.push(part))
  await once(child, 'close')
  expect(child.exitCode).toBe(0)
  expect(Buffer.concat(errors).toString()).toBe('')
})

test.each([
  ['SIGTERM', 143],
  ['SIGINT', 130],
] as const)('a waiting command exits on %s', async (signal, code) => {
  const silent = createServer().listen(0, '127.0.0.1')
  await once(silent, 'listening')
  const probed = once(silent, 'connection')
  const child = spawn(process.execPath, [CLI, 'probe', '--port', String(portOf(silent))])
  const [socket]: Socket[] = await probed
  child.kill(signal)
  await once(child, 'close')
  expect([child.exitCode, child.signalCode]).toEqual([code, null])
  socket?.destroy()
  silent.close()
})

test('keeps serving when its log cannot be written', async () => {
  const simulator = await createSimulator()
  const port = await freePort()
  const full = await open('/dev/full', 'w')
  const child = spawn(process.execPath, [CLI, 'serve'], {
    env: { ...environmentOf(simulator), WIMDS_LISTEN: `127.0.0.1:${port}` },
    stdio: ['ignore', full.fd, 'pipe'],
  })
  await full.close()
  const errors: Buffer[] = []
  child.stderr?.on('data', (part: Buffer) => errors.push(part))
  const answer = () => fetch(`http://127.0.0.1:${port}/readyz`).then(({ status }) => status, String)
  await expect.poll(answer).toBe(200)
  child.kill('SIGTERM')
  await once(child, 'close')
  expect(child.exitCode).toBe(0)
  expect(Buffer.concat(errors).toString()).toBe('')
  await simulator.close()
})

test('keeps serving when the reader of its log stalls, and logs again afterwards', async () => {
  await using directory = await mkdtempDisposable(join(tmpdir(), 'wimds-log-'))
  await using simulator = await createSimulator()
  const pipe = await namedPipe(join(directory.path, 'log'))
  const log = await open(pipe, constants.O_RDWR | constants.O_NONBLOCK)
  fillUp(log.fd)
  const port = await freePort()
  const origin = `http://127.0.0.1:${port}`
  const child = spawn(process.execPath, [CLI, 'serve'], {
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
  const simulator = await createSimulator()
  const silent = createServer().listen(0, '127.0.0.1')
  await once(silent, 'listening')
  const connected = once(silent, 'connection')
  const child = spawn(process.execPath, [CLI, 'serve'], {
    env: {
      ...environmentOf(simulator),
      AZURE_AUTHORITY_HOST: `https://127.0.0.1:${portOf(silent)}/`,
      WIMDS_PREFETCH: 'https://vault.azure.net',
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const out: Buffer[] = []
  child.stdout.on('data', (part: Buffer) => out.push(part))
  const [socket]: Socket[] = await connected
  child.kill('SIGTERM')
  await once(child, 'close')
  expect(child.exitCode).toBe(0)
  const lines = Buffer.concat(out).toString().trim().split('\n')
  expect(lines.at(-1)).toContain('"event":"shutdown_complete"')
  socket?.destroy()
  silent.close()
  await simulator.close()
})
