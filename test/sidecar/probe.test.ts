import { createServer, type RequestListener } from 'node:http'
import { createServer as createTcpServer } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { probe } from '../../src/sidecar/probe.ts'
import { createFolder } from '../fixtures/folder.ts'
import { compileNative, hasNoCompiler } from '../fixtures/native.ts'
import { listening } from '../fixtures/listening.ts'
import { runProgram } from '../fixtures/run-program.ts'
import { captureIo } from '../tools/capture.ts'

type Run = (
  args: readonly string[],
) => Promise<{ code: number | null; stdout: string; stderr: string }>

const directory = createFolder()
const program = directory.file('wimds')
beforeAll(() => {
  if (!hasNoCompiler) compileNative('wimds', program)
})
afterAll(() => directory[Symbol.dispose]())

async function runCommand(args: readonly string[]) {
  const io = captureIo()
  return { code: await probe(args, io), stdout: io.out(), stderr: io.err() }
}

/** The program that runs in the images instead of the command. */
const runImageProgram = (args: readonly string[]) => runProgram(program, ['probe', ...args])

const IMPLEMENTATIONS: [string, Run][] = [
  ['the command', runCommand],
  ...(hasNoCompiler
    ? []
    : [['the program of the images', runImageProgram] satisfies [string, Run]]),
]

/** A sidecar that is not ready. */
const startUnready = () => listening(createServer((_, response) => response.writeHead(503).end()))

describe.each(IMPLEMENTATIONS)('%s', (_title, run) => {
  const runProbe = async (port: number, timeout = '60') =>
    (await run([`--port=${port}`, `--timeout=${timeout}`])).code
  async function exitCodeAt(handler: RequestListener, timeout?: string) {
    await using server = await listening(createServer(handler))
    return await runProbe(server.port, timeout)
  }

  test('exits 0 when the sidecar is ready', async () => {
    expect(await exitCodeAt((_, response) => response.end('{}'))).toBe(0)
  })

  test.each([
    ['until the sidecar is ready', '20', 0, 3],
    ['once with a timeout of 0', '0', 1, 1],
  ])('polls %s', async (_, timeout, code, polls) => {
    let count = 0
    const handler: RequestListener = (_request, response) => {
      count += 1
      response.writeHead(count < 3 ? 503 : 200).end()
    }
    expect(await exitCodeAt(handler, timeout)).toBe(code)
    expect(count).toBe(polls)
  })

  test('exits 1 after the timeout when a server sends headers without an end', async () => {
    const server = createTcpServer((socket) => {
      socket.on('error', () => {})
      socket.write('HTTP/1.1 200 OK\r\n')
      const drip = setInterval(() => socket.write('X: y\r\n'), 50)
      socket.on('close', () => clearInterval(drip))
    })
    await using listener = await listening(server)
    expect(await runProbe(listener.port, '1')).toBe(1)
  })

  test('with --listening it exits 0 for a sidecar that is not ready', async () => {
    await using server = await startUnready()
    const args = [`--port=${server.port}`, '--timeout=0', '--listening']
    expect(await run(args)).toEqual({ code: 0, stdout: '', stderr: '' })
  })

  test('asks a port where nothing listens until the timeout, and names it', async () => {
    const start = performance.now()
    expect(await run(['--port=1', '--timeout=1'])).toEqual({
      code: 1,
      stdout: '',
      stderr:
        'wimds probe: nothing accepts connections on 127.0.0.1:1. Fix: check that the sidecar was injected here, and read its log\n',
    })
    expect(performance.now() - start).toBeGreaterThan(800)
  })

  test('names a sidecar that is not ready', async () => {
    await using server = await startUnready()
    expect(await run([`--port=${server.port}`, '--timeout=0'])).toEqual({
      code: 1,
      stdout: '',
      stderr: `wimds probe: http://127.0.0.1:${server.port}/readyz is not 200. Fix: read the log of the sidecar\n`,
    })
  })
})

const probeLive = (port: number, io: ReturnType<typeof captureIo>) =>
  probe([`--port=${port}`, '--timeout=0', '--live'], io)

test('with --live it exits 0 for a process that is alive and not ready, and 1 for a silent one', async () => {
  const paths: unknown[] = []
  await using server = await listening(
    createServer(({ url }, response) => {
      paths.push(url)
      response.writeHead(url === '/healthz' ? 200 : 503).end()
    }),
  )
  expect(await probeLive(server.port, captureIo())).toBe(0)
  expect(paths).toEqual(['/healthz'])
  await using silent = await listening(createServer(() => {}))
  const io = captureIo()
  expect(await probeLive(silent.port, io)).toBe(1)
  expect(io.err()).toContain('/healthz is not 200. Fix: read the log of the process')
})

test.each([
  ['--live', '--listening or --live, not both'],
  ['--timeout=', '--timeout must be a whole number'],
  ['--timeout=0.5', '--timeout must be a whole number'],
  ['--timeout=86401', '--timeout must be a whole number'],
  ['--port=8e3', '--port must be a whole number'],
])('rejects %s', async (flag, problem) => {
  await expect(probe(['--listening', flag], captureIo())).rejects.toThrow(problem)
})
