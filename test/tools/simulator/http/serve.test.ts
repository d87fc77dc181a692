import { once } from 'node:events'
import type { Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { describe, expect, test } from 'vitest'
import { serve } from '../../../../src/tools/simulator/http/serve.ts'
import { createSimulator, type Simulator } from '../../../../src/tools/simulator/simulator.ts'

/** Collects what arrives on a socket. `ended` resolves to the error, or undefined for a FIN. */
function observe(socket: Socket) {
  let text = ''
  socket.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
  const ended = new Promise<unknown>((resolve) => {
    socket.on('error', resolve).on('end', () => resolve(undefined))
  })
  return { text: () => text, ended: ended.finally(() => socket.destroy()) }
}

/** Sends a token request without parameters over a new TLS connection. */
async function sendRequest({ authorityHost, tenantId, caPem }: Simulator) {
  const { port, host, hostname } = new URL(authorityHost)
  const socket = connectTls({ port: Number(port), host: hostname, ca: caPem })
  await once(socket, 'secureConnect')
  const observed = observe(socket)
  socket.write(
    `POST /${tenantId}/oauth2/v2.0/token HTTP/1.1\r\nHost: ${host}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 3\r\nConnection: close\r\n\r\na=b`,
  )
  return observed
}

describe('a socket fault', () => {
  test('reset: the connection ends with an RST before the answer', async () => {
    await using simulator = await createSimulator()
    simulator.faults.add({ kind: 'reset' })
    const { text, ended } = await sendRequest(simulator)
    expect(await ended).toMatchObject({ code: 'ECONNRESET' })
    expect(text()).toBe('')
  })

  test('reset mid-body: the RST follows the headers and half of the body', async () => {
    await using simulator = await createSimulator()
    simulator.faults.add({ kind: 'reset', when: 'mid-body' })
    const { text, ended } = await sendRequest(simulator)
    expect(await ended).toMatchObject({ code: 'ECONNRESET' })
    const [head = '', body = ''] = text().split('\r\n\r\n')
    const length = Number(/content-length: (\d+)/u.exec(head)?.[1])
    expect(head).toMatch(/^HTTP\/1\.1 400 /u)
    expect(body.length).toBe(Math.ceil(length / 2))
  })
})

describe('a server on a port', () => {
  test('passes headers, body and repeated Set-Cookie in both directions', async () => {
    await using running = await serve(async (request) => {
      const headers = new Headers([
        ['x-sent', `${request.method} ${request.headers.get('x-sent')}`],
        ['set-cookie', 'a=1'],
        ['set-cookie', 'b=2'],
      ])
      return new Response((await request.text()).toUpperCase(), { status: 201, headers })
    })
    const sent = { method: 'PUT', body: 'text', headers: { 'x-sent': 'yes' } }
    const response = await fetch(running.url, sent)
    expect(response.status).toBe(201)
    expect(response.headers.getSetCookie()).toEqual(['a=1', 'b=2'])
    expect(response.headers.get('x-sent')).toBe('PUT yes')
    expect(await response.text()).toBe('TEXT')
  })

  test('survives a handler that throws and a client that disconnects', async () => {
    const abort = new AbortController()
    await using running = await serve(async ({ url }) => {
      if (url.endsWith('/throw')) throw new Error('handler failed')
      if (url.endsWith('/abort')) abort.abort()
      return new Response('alive')
    })
    await expect(fetch(`${running.url}/throw`)).rejects.toMatchObject({
      cause: { code: 'ECONNRESET' },
    })
    const aborted = fetch(`${running.url}/abort`, { signal: abort.signal })
    await expect(aborted).rejects.toMatchObject({ name: 'AbortError' })
    expect(await (await fetch(running.url)).text()).toBe('alive')
  })

  test('resets a request with a body above 1 MiB', async () => {
    await using running = await serve(async () => new Response('unreachable'))
    const tooLarge = fetch(running.url, { method: 'POST', body: 'x'.repeat(1_100_000) })
    await expect(tooLarge).rejects.toThrow('fetch failed')
  })
})
