import { Readable } from 'node:stream'
import { fetch, request } from 'undici'
import { describe, expect, test } from 'vitest'
import { createInMemoryDispatcher } from '../../../src/simulator/http/dispatcher.ts'
import type { Server } from '../../../src/simulator/http/handler.ts'
import { routeByOrigin } from '../../../src/simulator/http/origins.ts'

const echo: Server = async (incoming) =>
  new Response(`${incoming.method} ${incoming.url} ${await incoming.text()}`, {
    headers: { 'x-sent': incoming.headers.get('x-sent') ?? 'nothing' },
  })

async function* brokenOff() {
  yield Buffer.from('half')
  throw new Error('broken off')
}

describe('the in-memory dispatcher', () => {
  test.each([
    ['text', 'body'],
    ['bytes', Buffer.from('body')],
    ['a stream', Readable.from(['bo', 'dy'])],
  ])('passes a body: %s', async (_, body) => {
    const dispatcher = createInMemoryDispatcher(echo)
    const response = await request('https://any.test/path?q=1', {
      dispatcher,
      method: 'POST',
      body,
      headers: { 'x-sent': 'yes' },
    })
    expect(response.headers['x-sent']).toBe('yes')
    expect(await response.body.text()).toBe('POST https://any.test/path?q=1 body')
  })

  test.each([
    ['a flat list', ['x-sent', 'yes']],
    ['pairs', new Map([['x-sent', 'yes']])],
    ['none', null],
  ])('accepts headers: %s', async (_, headers) => {
    const response = await request('https://any.test/', {
      dispatcher: createInMemoryDispatcher(echo),
      headers,
    })
    await response.body.dump()
    expect(response.headers['x-sent']).toBe(headers === null ? 'nothing' : 'yes')
  })

  test('returns a chunked and an empty body to fetch', async () => {
    const pieces = createInMemoryDispatcher(
      async () => new Response(ReadableStream.from([Buffer.from('a'), Buffer.from('b')])),
    )
    expect(await (await fetch('https://any.test/', { dispatcher: pieces })).text()).toBe('ab')
    const empty = createInMemoryDispatcher(async () => new Response(null, { status: 204 }))
    expect((await fetch('https://any.test/', { dispatcher: empty })).status).toBe(204)
  })

  test('keeps repeated Set-Cookie headers separate', async () => {
    const headers = new Headers([
      ['set-cookie', 'a=1'],
      ['set-cookie', 'b=2'],
    ])
    const dispatcher = createInMemoryDispatcher(async () => new Response('', { headers }))
    const fetched = await fetch('https://any.test/', { dispatcher })
    expect(fetched.headers.getSetCookie()).toEqual(['a=1', 'b=2'])
    const requested = await request('https://any.test/', { dispatcher })
    expect(requested.headers['set-cookie']).toEqual(['a=1', 'b=2'])
    await requested.body.dump()
  })

  test('fails with ECONNRESET when the body ends early', async () => {
    const dispatcher = createInMemoryDispatcher(
      async () => new Response(ReadableStream.from(brokenOff())),
    )
    const response = await request('https://any.test/', { dispatcher })
    await expect(response.body.text()).rejects.toMatchObject({ code: 'ECONNRESET' })
  })

  test('ends a hanging request when it is destroyed', async () => {
    const dispatcher = createInMemoryDispatcher(async () => ({ socket: 'hang' }))
    const hanging = request('https://any.test/', { dispatcher })
    await dispatcher.destroy()
    await expect(hanging).rejects.toMatchObject({ code: 'UND_ERR_DESTROYED' })
  })

  test('rejects a request to an unknown origin', async () => {
    const dispatcher = createInMemoryDispatcher(
      routeByOrigin(new Map([['https://known.test', echo]])),
    )
    expect((await fetch('https://known.test/', { dispatcher })).status).toBe(200)
    await expect(fetch('https://other.test/', { dispatcher })).rejects.toMatchObject({
      cause: { message: 'nothing listens at https://other.test' },
    })
  })
})
