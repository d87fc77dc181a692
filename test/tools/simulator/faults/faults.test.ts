import { readFile } from 'node:fs/promises'
import { decodeJwt } from 'jose'
import { fetch } from 'undici'
import { describe, expect, test } from 'vitest'
import { type FaultInput, FaultsSchema } from '../../../../src/tools/simulator/faults/faults.ts'
import { BILLING } from '../../../../src/tools/simulator/defaults.ts'
import type { Simulator } from '../../../../src/tools/simulator/simulator.ts'
import { startSimulator, exchange, NOW } from '../exchange.ts'

/** Sends a token request without parameters and returns the response as text. */
async function sendRequest(simulator: Simulator) {
  const response = await fetch(
    `${simulator.authorityHost}/${simulator.tenantId}/oauth2/v2.0/token`,
    {
      method: 'POST',
      dispatcher: simulator.dispatcher,
      redirect: 'manual',
      body: new URLSearchParams({ client_id: simulator.clientId }),
    },
  )
  const text = await response.text()
  return {
    status: response.status,
    type: response.headers.get('content-type'),
    retryAfter: response.headers.get('retry-after'),
    location: response.headers.get('location'),
    text,
  }
}

describe('a replaced answer', () => {
  const TEA = {
    status: 418,
    body: 'tea',
    contentType: 'text/tea',
    headers: { 'retry-after': '1', location: '/pot' },
  }
  const TEA_SENT = { text: 'tea', type: 'text/tea', retryAfter: '1', location: '/pot' }
  const TRANSIENT = expect.stringContaining('AADSTS90033: A transient')

  test.each<[FaultInput, number, Readonly<Record<string, unknown>>]>([
    [{ kind: 'throttled' }, 429, { retryAfter: '60', text: 'Too Many Requests' }],
    [{ kind: 'unavailable' }, 503, { retryAfter: null, text: TRANSIENT }],
    [{ kind: 'status', ...TEA }, 418, TEA_SENT],
    [{ kind: 'status', status: 204 }, 204, { text: '' }],
  ])('is sent for %j: %i', async (fault, status, expected) => {
    await using simulator = await startSimulator()
    simulator.faults.add(fault)
    expect(await sendRequest(simulator)).toMatchObject({ status, ...expected })
  })

  test('is logged with the outcome hang or reset', async () => {
    await using simulator = await startSimulator()
    simulator.faults.add({ kind: 'hang', times: 1 }, { kind: 'reset', times: 1 })
    const abort = new AbortController()
    const hanging = exchange(simulator, { init: { signal: abort.signal } })
    await expect.poll(() => simulator.exchanges()).toBe(1)
    abort.abort()
    await expect(hanging).rejects.toMatchObject({ name: 'AbortError' })
    await expect(exchange(simulator)).rejects.toMatchObject({ cause: { code: 'ECONNRESET' } })
    expect((await exchange(simulator)).status).toBe(200)
    expect(
      simulator.log
        .entries()
        .flatMap(({ target, outcome }) => (target === 'token' ? [outcome] : [])),
    ).toEqual(['hang', 'reset', 200])
  })

  test('has the form of an AADSTS error, with overrides', async () => {
    await using simulator = await startSimulator()
    simulator.faults.add(
      { kind: 'aadsts', code: 53003, times: 1 },
      { kind: 'aadsts', code: 123456, status: 403, error: 'odd', text: 'Never seen.', times: 1 },
    )
    expect(await exchange(simulator)).toMatchObject({
      status: 400,
      body: { error: 'invalid_grant', error_codes: [53003] },
    })
    expect(await exchange(simulator)).toMatchObject({
      status: 403,
      body: {
        error: 'odd',
        error_description: expect.stringMatching(/^AADSTS123456: Never seen\. Trace ID/u),
      },
    })
  })
})

describe('a changed answer', () => {
  test('is sent in chunks by slow-body', async () => {
    await using simulator = await startSimulator()
    simulator.faults.add({ kind: 'slow-body', chunkBytes: 100, everyMs: 1 })
    const response = await fetch(`${simulator.authorityHost}/t/oauth2/v2.0/token`, {
      method: 'POST',
      dispatcher: simulator.dispatcher,
    })
    const chunks: Uint8Array[] = []
    for await (const chunk of response.body ?? []) chunks.push(chunk)
    expect(chunks.length).toBeGreaterThan(3)
    expect(Math.max(...chunks.map(({ length }) => length))).toBe(100)
    expect(JSON.parse(Buffer.concat(chunks).toString())).toHaveProperty('error_codes')
  })

  test('has the lifetimes of the fault', async () => {
    await using simulator = await startSimulator()
    simulator.faults.add({ kind: 'lifetime', expiresInSeconds: 4, refreshInSeconds: 2 })
    expect((await exchange(simulator)).body).toMatchObject({
      expires_in: 4,
      ext_expires_in: 4,
      refresh_in: 2,
    })
  })

  test('is delayed, also together with another fault', async () => {
    await using simulator = await startSimulator()
    simulator.faults.add({ kind: 'delay', ms: 50 }, { kind: 'lifetime', expiresInSeconds: 9 })
    const start = performance.now()
    expect((await exchange(simulator)).body).toMatchObject({ expires_in: 9 })
    expect(performance.now() - start).toBeGreaterThan(49)
  })

  test("has Entra ID's skewed clock in Date, tokens and checks", async () => {
    await using simulator = await startSimulator()
    simulator.faults.add({ kind: 'clock', offsetMs: 200_000 })
    const ahead = await exchange(simulator)
    expect(ahead.headers.get('date')).toBe('Tue, 24 Nov 2026 12:03:20 GMT')
    expect(decodeJwt(String(ahead.body['access_token'])).nbf).toBe(NOW / 1000 - 100)
    simulator.faults.set([{ kind: 'clock', offsetMs: -301_000 }])
    expect((await exchange(simulator)).body).toMatchObject({
      error_codes: [700024],
      timestamp: '2026-11-24 11:54:59Z',
    })
  })
})

describe('a fault', () => {
  test('applies only to its client id', async () => {
    await using simulator = await startSimulator()
    simulator.faults.add({ kind: 'aadsts', code: 90033, clientId: BILLING.clientId })
    expect((await exchange(simulator)).status).toBe(200)
    expect((await exchange(simulator, { form: { client_id: BILLING.clientId } })).status).toBe(503)
  })

  test.each<[FaultInput['target'], (simulator: Simulator) => string]>([
    ['metadata', ({ authorityHost }) => `${authorityHost}/common/discovery/v2.0/keys`],
    ['issuer', ({ issuer }) => `${issuer.issuer}/openid/v1/jwks`],
  ])('applies only to its target: %s', async (target, urlOf) => {
    await using simulator = await startSimulator()
    const url = urlOf(simulator)
    simulator.faults.add({ kind: 'status', status: 418, target })
    expect((await fetch(url, { dispatcher: simulator.dispatcher })).status).toBe(418)
    expect((await sendRequest(simulator)).status).toBe(400)
  })
})

test('docs/simulator.md has an item for each fault kind', async () => {
  const page = await readFile(new URL('../../../../docs/simulator.md', import.meta.url), 'utf8')
  const list = page.slice(page.indexOf('## Faults'), page.indexOf('Every fault also has'))
  const kinds = [...list.matchAll(/^- `([\w-]+)`/gmu)].map(([, kind]) => kind)
  expect(kinds).toEqual(FaultsSchema.element.options.map(({ shape }) => shape.kind.value))
})
