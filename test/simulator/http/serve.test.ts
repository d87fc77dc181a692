import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { connect as connectTls } from 'node:tls'
import { describe, expect, test } from 'vitest'
import type { FaultInput } from '../../../src/simulator/faults/faults.ts'
import { serve } from '../../../src/simulator/http/serve.ts'
import { createSimulator, type Simulator } from '../../../src/simulator/simulator.ts'

/** Sends a token request over a TLS socket of its own; collects what comes until it ends. */
async function overSocket(simulator: Simulator, giveUpMs = 2_000) {
  const { port, hostname } = new URL(simulator.authorityHost)
  const socket = connectTls({ port: Number(port), host: hostname, ca: simulator.caPem })
  await once(socket, 'secureConnect')
  const ended = outcome(socket, giveUpMs)
  socket.write(
    `POST /${simulator.tenantId}/oauth2/v2.0/token HTTP/1.1\r\nHost: ${hostname}:${port}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 3\r\nConnection: close\r\n\r\na=b`,
  )
  return ended
}

async function outcome(socket: Socket, giveUpMs: number) {
  const chunks: Buffer[] = []
  socket.on('data', (chunk: Buffer) => chunks.push(chunk))
  const error = await new Promise<unknown>((resolve) => {
    socket.on('error', resolve).on('end', () => resolve(undefined))
    setTimeout(() => resolve('silence'), giveUpMs).unref()
  })
  socket.destroy()
  return { error, pieces: chunks.length, text: Buffer.concat(chunks).toString() }
}

async function met(fault: FaultInput, giveUpMs?: number) {
  await using simulator = await createSimulator()
  simulator.faults.add(fault)
  return await overSocket(simulator, giveUpMs)
}

describe('at the socket', () => {
  test('a hang is a connection that is taken and says nothing', async () => {
    expect(await met({ kind: 'hang' }, 150)).toEqual({ error: 'silence', pieces: 0, text: '' })
  })

  test('a reset before the answer is an RST', async () => {
    const { error, text } = await met({ kind: 'reset' })
    expect(error).toMatchObject({ code: 'ECONNRESET' })
    expect(text).toBe('')
  })

  test('a reset mid-body is an RST after the head and half of the body', async () => {
    const { error, text } = await met({ kind: 'reset', when: 'mid-body' })
    expect(error).toMatchObject({ code: 'ECONNRESET' })
    const [head = '', body = ''] = text.split('\r\n\r\n')
    const length = Number(/content-length: (\d+)/u.exec(head)?.[1])
    expect(head).toMatch(/^HTTP\/1\.1 400 /u)
    expect(body.length).toBe(Math.ceil(length / 2))
  })

  test('a slow body comes in pieces and is whole in the end', async () => {
    const { pieces, text } = await met({ kind: 'slow-body', chunkBytes: 100, everyMs: 5 })
    expect(pieces).toBeGreaterThanOrEqual(4)
    expect(JSON.parse(text.slice(text.indexOf('\r\n\r\n')))).toMatchObject({
      error_codes: [900144],
    })
  })

  test('closing the simulator ends connections that hang', async () => {
    const simulator = await createSimulator()
    simulator.faults.add({ kind: 'hang' })
    const hanging = overSocket(simulator)
    await expect.poll(() => simulator.exchanges()).toBe(1)
    await simulator.close()
    expect((await hanging).error).not.toBe('silence')
  })
})

describe('a server on a port', () => {
  test('passes headers, body and repeated Set-Cookie both ways', async () => {
    await using running = await serve(async (request) => {
      const headers = new Headers({
        'x-method': request.method,
        'x-sent': request.headers.get('x-sent') ?? '',
      })
      headers.append('set-cookie', 'a=1')
      headers.append('set-cookie', 'b=2')
      return new Response((await request.text()).toUpperCase(), { status: 201, headers })
    })
    const response = await fetch(running.url, {
      method: 'PUT',
      body: 'text',
      headers: { 'x-sent': 'yes' },
    })
    expect(response.status).toBe(201)
    expect(response.headers.getSetCookie()).toEqual(['a=1', 'b=2'])
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'x-method': 'PUT',
      'x-sent': 'yes',
    })
    expect(await response.text()).toBe('TEXT')
  })

  test('lives on after a handler that fails and a client that goes away', async () => {
    await using running = await serve(async (request) => {
      if (request.url.endsWith('/fail')) throw new Error('handler failed')
      await delay(20)
      return new Response('alive')
    })
    await expect(fetch(`${running.url}/fail`)).rejects.toMatchObject({
      cause: { code: 'ECONNRESET' },
    })
    await expect(fetch(running.url, { signal: AbortSignal.timeout(5) })).rejects.toThrow('timeout')
    expect(await (await fetch(running.url)).text()).toBe('alive')
  })

  test('refuses a body above 1 MiB by a reset', async () => {
    await using running = await serve(async () => new Response('unreachable'))
    const tooMuch = fetch(running.url, { method: 'POST', body: 'x'.repeat(1_100_000) })
    await expect(tooMuch).rejects.toThrow('fetch failed')
  })

  test('resets a request whose Host is no host', async () => {
    await using running = await serve(async () => new Response('unreachable'))
    const socket = connect(running.port, '127.0.0.1')
    socket.write('GET / HTTP/1.1\r\nHost: [bad\r\n\r\n')
    expect((await outcome(socket, 1_000)).error).toMatchObject({ code: 'ECONNRESET' })
  })

  test('on a wildcard address is named by loopback', async () => {
    await using running = await serve(async () => new Response('ok'), { host: '0.0.0.0' })
    expect(running.url).toBe(`http://127.0.0.1:${running.port}`)
    expect((await fetch(running.url)).status).toBe(200)
  })
})
