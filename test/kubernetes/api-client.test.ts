/** Calls of an API server of the test, over real connections. */
import { createSecureServer } from 'node:http2'
import { copyFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import * as z from 'zod/mini'
import { type ApiServer, connectToApiServer, isSilence } from '../../src/kubernetes/api-client.ts'
import { createFolder } from '../fixtures/folder.ts'
import { answer, type Fault, startApiServer, trust } from '../fixtures/api-server.ts'
import { listening } from '../fixtures/listening.ts'

let shutdown = new AbortController()
afterEach(() => {
  shutdown.abort()
  shutdown = new AbortController()
})

const PATH = '/api/v1/things'
const Thing = z.object({ name: z.string() })

const connect = () => connectToApiServer(shutdown.signal)

/** Starts an API server that has one path, and connects to it. */
async function serve(method: 'GET' | 'POST' | 'PATCH', fault: Fault) {
  const server = await startApiServer({ [`${method} ${PATH}`]: fault })
  onTestFinished(() => server[Symbol.asyncDispose]())
  return { server, api: connect() }
}

const read = (api: ApiServer, options: { timeoutMs?: number; maxBytes?: number } = {}) =>
  api.call({ action: 'read it', path: PATH, ...options }, Thing)

const messageOf = (error: unknown) => (error instanceof Error ? error.message : 'no error')

describe('a call', () => {
  test('reads an answer that the API server has compressed', async () => {
    const { api } = await serve('GET', (response) => {
      expect(response.req.headers['accept-encoding']).toBe('gzip')
      response.writeHead(200, { 'Content-Encoding': 'gzip' })
      response.end(gzipSync(JSON.stringify({ name: 'a' })))
    })
    expect(await read(api)).toEqual({ name: 'a' })
  })

  test.each([
    ['GET', undefined, undefined, ''],
    ['POST', { a: 1 }, 'application/json', '{"a":1}'],
    ['PATCH', [{ op: 'test' }], 'application/json-patch+json', '[{"op":"test"}]'],
  ] as const)('sends %s with its body', async (method, body, type, sent) => {
    const seen: (string | undefined)[] = []
    const { api } = await serve(method, (response, _, text) => {
      const { accept, authorization, 'content-type': contentType } = response.req.headers
      seen.push(accept, authorization, contentType, text)
      answer(response, 201, { name: 'a', other: 'b' })
    })
    const answered = await api.call({ action: 'do it', method, path: PATH, body }, Thing)
    expect(answered).toEqual({ name: 'a' })
    expect(seen).toEqual(['application/json', 'Bearer a-token', type, sent])
  })

  test.each<[string, Fault]>([
    ['a status', (response) => answer(response, 403, 'hunter2')],
    [
      'a redirect',
      (response) => response.writeHead(302, { Location: '/elsewhere' }).end('hunter2'),
    ],
    ['text', (response) => response.end('hunter2')],
    ['an object of another kind', (response) => answer(response, 200, { name: { of: 'hunter2' } })],
    ['half an answer', (response) => response.write('hunter2', () => response.destroy())],
    [
      'a compressed answer that ends too early',
      (response) =>
        response
          .writeHead(200, { 'Content-Encoding': 'gzip' })
          .end(gzipSync('{"name":"hunter2"}').subarray(0, -12)),
    ],
  ])('throws one line, without the answer, after %s', async (_, fault) => {
    const { api } = await serve('GET', fault)
    const message = await read(api).catch(messageOf)
    expect(message).toMatch(/^cannot read it: ./)
    expect(message).not.toMatch(/hunter2|\n/)
  })

  test('throws if the answer is larger than its limit, and closes the connection', async () => {
    let isClosed = false
    const { api } = await serve('GET', (response) => {
      response.write('{"name":"')
      const timer = setInterval(() => response.write('x'.repeat(1000)), 1)
      response.on('close', () => {
        clearInterval(timer)
        isClosed = true
      })
    })
    await expect(read(api, { maxBytes: 20_000 })).rejects.toThrow(
      'cannot read it: the answer is larger than 20000 bytes',
    )
    await expect.poll(() => isClosed).toBe(true)
  })

  test('throws after its time limit without the rest of an answer', async () => {
    const { api } = await serve('GET', (response) => void response.write('{'))
    await expect(read(api, { timeoutMs: 50 })).rejects.toThrow('did not answer in time')
  })

  test('throws at the shutdown while it waits for an answer', async () => {
    const called = Promise.withResolvers<void>()
    const { api } = await serve('GET', () => called.resolve())
    const message = read(api).catch(messageOf)
    await called.promise
    shutdown.abort()
    expect(await message).toBe('cannot read it: This operation was aborted')
  })

  test('uses the connections of earlier calls, also of failed ones', async () => {
    const ports = new Set<number | undefined>()
    const { api } = await serve('GET', (response, count) => {
      ports.add(response.req.socket.remotePort)
      answer(response, count % 2 === 0 ? 404 : 200, { name: 'a' })
    })
    for (let count = 0; count < 20; count += 1) await read(api).catch(keep)
    expect(ports.size).toBeLessThan(5)
  })

  test('reads the token for each call, and the CA for each new connection', async () => {
    const tokens: unknown[] = []
    const { api, server } = await serve('GET', (response) => {
      tokens.push(response.req.headers.authorization)
      response.setHeader('Connection', 'close')
      answer(response, 200, { name: 'a' })
    })
    await read(api)
    using other = createFolder()
    await trust(other)
    const directory = server.access.KUBERNETES_API_ACCESS
    await writeFile(join(directory, 'token'), 'another')
    await read(api)
    expect(tokens).toEqual(['Bearer a-token', 'Bearer another'])
    await copyFile(other.file('ca.crt'), join(directory, 'ca.crt'))
    await expect(read(api)).rejects.toThrow(/^cannot read it: .*certificate/)
  })
})

const keep = (error: unknown) => error

describe('a stream', () => {
  const call = { action: 'watch it', path: PATH }

  test('closes the connection when its reader has enough', async () => {
    let isClosed = false
    const { api } = await serve('GET', (response) => {
      response.write('first')
      response.on('close', () => (isClosed = true))
    })
    await api.stream(call, async (body) => {
      for await (const _ of body) return
    })
    await expect.poll(() => isClosed).toBe(true)
  })

  test('fails, and closes its connection, after its limit without a byte', async () => {
    let isClosed = false
    const { api } = await serve('GET', (response) => {
      response.write('first')
      response.on('close', () => (isClosed = true))
    })
    const failure = api.stream({ ...call, idleMs: 100 }, async (body) => {
      for await (const _ of body);
    })
    await expect(failure).rejects.toSatisfy(isSilence)
    await expect.poll(() => isClosed).toBe(true)
  })
})

test('calls at the same time succeed at an API server that ends HTTP/2 connections', async () => {
  using folder = createFolder()
  const tls = { ...(await trust(folder)), allowHTTP1: true }
  await using server = await listening(
    createSecureServer(tls, ({ httpVersion }, response) => {
      if ('stream' in response) response.stream.session?.goaway()
      response.end(JSON.stringify({ name: httpVersion }))
    }),
  )
  vi.stubEnv('KUBERNETES_SERVICE_HOST', '127.0.0.1')
  vi.stubEnv('KUBERNETES_SERVICE_PORT', `${server.port}`)
  vi.stubEnv('KUBERNETES_API_ACCESS', folder.path)
  const api = connect()
  const answers = await Promise.all(Array.from({ length: 20 }, () => read(api)))
  expect(answers).toEqual(answers.map(() => ({ name: '1.1' })))
})
