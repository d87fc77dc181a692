import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import { createServer as createTcpServer, type Socket } from 'node:net'
import { expect, test } from 'vitest'
import { probe } from '../../src/commands/probe.ts'
import { listening, portOf } from '../fixtures/listening.ts'
import { captureIo } from './capture.ts'

const runProbe = (port: number, timeout = '1') =>
  probe(['--port', String(port), '--timeout', timeout], captureIo())

async function exitCodeAt(handler: RequestListener) {
  await using server = await listening(createServer(handler))
  return await runProbe(server.port)
}

test('exits 0 when the sidecar is ready', async () => {
  expect(await exitCodeAt((_, response) => response.end('{}'))).toBe(0)
})

test('polls until the sidecar is ready', async () => {
  let count = 0
  const handler: RequestListener = (_, response) => {
    count += 1
    response.writeHead(count < 3 ? 503 : 200).end()
  }
  expect(await exitCodeAt(handler)).toBe(0)
  expect(count).toBe(3)
})

test('polls once with a timeout of 0', async () => {
  let count = 0
  await using server = await listening(
    createServer((_, response) => {
      count += 1
      response.writeHead(503).end()
    }),
  )
  expect(await runProbe(server.port, '0')).toBe(1)
  expect(count).toBe(1)
})

test.each([
  ['nothing', () => {}],
  [
    'headers without an end',
    (socket: Socket) => {
      socket.write('HTTP/1.1 200 OK\r\n')
      const drip = setInterval(() => socket.write('X: y\r\n'), 50)
      socket.on('close', () => clearInterval(drip))
    },
  ],
])('exits 1 after the timeout when a server sends %s', async (_, answer) => {
  const server = createTcpServer((socket) => {
    socket.on('error', () => {})
    answer(socket)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  expect(await runProbe(portOf(server))).toBe(1)
  server.close()
})

test('does not wait for the end of the body', async () => {
  const closed = Promise.withResolvers<void>()
  await using server = await listening(
    createServer((_, response) => {
      const drip = setInterval(() => response.write(' '), 50)
      response.on('close', () => {
        clearInterval(drip)
        closed.resolve()
      })
    }),
  )
  expect(await runProbe(server.port)).toBe(0)
  // The process can exit.
  await closed.promise
})

test('with --listening it exits 0 for a sidecar that is not ready', async () => {
  await using server = await listening(createServer((_, response) => response.writeHead(503).end()))
  const args = ['--port', String(server.port), '--timeout', '0', '--listening']
  expect(await probe(args, captureIo())).toBe(0)
})

test.each([['--listening'], []])('names it if nothing listens, with flags %j', async (...flags) => {
  const io = captureIo()
  expect(await probe(['--port', '1', '--timeout', '0', ...flags], io)).toBe(1)
  expect(io.err()).toContain('nothing accepts connections on 127.0.0.1:1. Fix: check that')
})

test('names a sidecar that is not ready', async () => {
  await using server = await listening(createServer((_, response) => response.writeHead(503).end()))
  const io = captureIo()
  expect(await probe(['--port', String(server.port), '--timeout', '0'], io)).toBe(1)
  expect(io.err()).toContain('/readyz is not 200. Fix: read the log of the sidecar')
})

test('with --live it exits 0 for a process that is alive and not ready', async () => {
  const paths: unknown[] = []
  await using server = await listening(
    createServer(({ url }, response) => {
      paths.push(url)
      response.writeHead(url === '/healthz' ? 200 : 503).end()
    }),
  )
  const args = ['--port', String(server.port), '--timeout', '0', '--live']
  expect(await probe(args, captureIo())).toBe(0)
  expect(paths).toEqual(['/healthz'])
})

test('with --live it exits 1 for a process that accepts connections and does not answer', async () => {
  await using server = await listening(createServer(() => {}))
  const io = captureIo()
  const args = ['--port', String(server.port), '--timeout', '0', '--live']
  expect(await probe(args, io)).toBe(1)
  expect(io.err()).toContain('/healthz is not 200. Fix: read the log of the process')
})

test('with --route it names a sidecar that does not answer', async () => {
  await using server = await listening(createServer((_, response) => response.end('{}')))
  const io = captureIo()
  expect(await probe(['--port', String(server.port), '--timeout', '0', '--route'], io)).toBe(1)
  expect(io.err()).toContain(`no sidecar answers on 127.0.0.1:${server.port}. Fix: read the log`)
})

test('rejects --live with --listening', async () => {
  await expect(probe(['--live', '--listening'], captureIo())).rejects.toThrow(
    '--listening, --live and --route exclude each other',
  )
})
