import { fetch as fetchThrough } from 'undici'
import { describe, expect, test } from 'vitest'
import { serve } from '../../../../src/tools/simulator/http/serve.ts'
import { createSimulator } from '../../../../src/tools/simulator/simulator.ts'

test('reset mid-body: the RST follows the headers and half of the body', async () => {
  await using simulator = await createSimulator()
  simulator.faults.add({ kind: 'reset', when: 'mid-body' })
  const { authorityHost, tenantId, dispatcher } = simulator
  const url = `${authorityHost}/${tenantId}/oauth2/v2.0/token`
  const response = await fetchThrough(url, { method: 'POST', dispatcher })
  const parts: Uint8Array[] = []
  const reading = (async () => {
    for await (const part of response.body ?? []) parts.push(part)
  })()
  await expect(reading).rejects.toMatchObject({ cause: { code: 'ECONNRESET' } })
  const length = Number(response.headers.get('content-length'))
  expect(Buffer.concat(parts)).toHaveLength(Math.ceil(length / 2))
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
