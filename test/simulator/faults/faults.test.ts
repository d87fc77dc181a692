import { fetch } from 'undici'
import { describe, expect, test } from 'vitest'
import { createFaults, type FaultInput } from '../../../src/simulator/faults/faults.ts'
import { BILLING } from '../../../src/simulator/defaults.ts'
import type { Simulator } from '../../../src/simulator/simulator.ts'
import { startInMemory, exchange, NOW } from '../exchange.ts'

/** The answer as it is, JSON or not. */
async function raw(simulator: Simulator) {
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

describe('an answer in place of the real one', () => {
  test.each<[string, FaultInput, Readonly<Record<string, unknown>>]>([
    [
      '429 as Entra says it',
      { kind: 'throttled' },
      { status: 429, type: 'text/plain', retryAfter: '60', text: 'Too Many Requests' },
    ],
    [
      '429 with seconds',
      { kind: 'throttled', retryAfterSeconds: 7 },
      { status: 429, retryAfter: '7' },
    ],
    [
      '429 with a date',
      { kind: 'throttled', retryAfterSeconds: 90, retryAfterAsDate: true },
      { status: 429, retryAfter: 'Tue, 24 Nov 2026 12:01:30 GMT' },
    ],
    [
      '503 JSON',
      { kind: 'unavailable' },
      { status: 503, retryAfter: null, text: expect.stringContaining('AADSTS90033: A transient') },
    ],
    [
      '503 HTML',
      { kind: 'unavailable', body: 'html', retryAfterSeconds: 3 },
      {
        status: 503,
        type: 'text/html',
        retryAfter: '3',
        text: expect.stringMatching(/^<!DOCTYPE/u),
      },
    ],
    ['503 empty', { kind: 'unavailable', body: 'empty' }, { status: 503, type: null, text: '' }],
    [
      'a redirect to another host',
      { kind: 'redirect', to: 'https://evil.test/token' },
      { status: 307, location: 'https://evil.test/token' },
    ],
    ['garbage', { kind: 'garbage' }, { status: 200, text: expect.stringContaining('<html>') }],
    [
      'any status and body',
      {
        kind: 'status',
        status: 418,
        body: 'tea',
        contentType: 'text/tea',
        headers: { 'retry-after': '1' },
      },
      { status: 418, text: 'tea', type: 'text/tea', retryAfter: '1' },
    ],
    ['a status without a body', { kind: 'status', status: 204 }, { status: 204, text: '' }],
    [
      'more bytes than fit',
      { kind: 'oversized', bytes: 200_000 },
      { status: 200, text: expect.stringMatching(/^.{200000}$/u) },
    ],
  ])('%s', async (_, fault, expected) => {
    await using simulator = await startInMemory()
    simulator.faults.add(fault)
    expect(await raw(simulator)).toMatchObject(expected)
  })

  test('the oversized body is JSON, so that only its size is wrong', async () => {
    await using simulator = await startInMemory()
    simulator.faults.add({ kind: 'oversized', bytes: 100_000 })
    expect(JSON.parse((await raw(simulator)).text)).toHaveProperty('access_token')
  })

  test('a hang ends when the caller gives up, and a reset is a socket error', async () => {
    await using simulator = await startInMemory()
    simulator.faults.add({ kind: 'hang', times: 1 }, { kind: 'reset', times: 1 })
    const init = { method: 'POST', body: 'a=b', signal: AbortSignal.timeout(50) }
    await expect(exchange(simulator, { init })).rejects.toMatchObject({ name: 'TimeoutError' })
    await expect(exchange(simulator)).rejects.toMatchObject({ cause: { code: 'ECONNRESET' } })
    expect((await exchange(simulator)).status).toBe(200)
    expect(
      simulator.log
        .entries()
        .flatMap(({ target, outcome }) => (target === 'token' ? [outcome] : [])),
    ).toEqual(['hang', 'reset', 200])
  })

  test('a refusal by its number keeps the usual shape, and may be changed', async () => {
    await using simulator = await startInMemory()
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

describe('a change of the real answer', () => {
  test('missing fields', async () => {
    await using simulator = await startInMemory()
    simulator.faults.add({ kind: 'missing-fields', fields: ['access_token', 'expires_in'] })
    const { status, body } = await exchange(simulator)
    expect(status).toBe(200)
    expect(Object.keys(body)).toEqual(['token_type', 'ext_expires_in'])
  })

  test('lifetimes', async () => {
    await using simulator = await startInMemory()
    simulator.faults.add({ kind: 'lifetime', expiresInSeconds: 4, refreshInSeconds: 2 })
    expect((await exchange(simulator)).body).toMatchObject({
      expires_in: 4,
      ext_expires_in: 4,
      refresh_in: 2,
    })
  })

  test('a delay, beside another fault', async () => {
    const slept: number[] = []
    await using simulator = await startInMemory({
      sleep: async (ms) => {
        slept.push(ms)
      },
    })
    simulator.faults.add({ kind: 'delay', ms: 250 }, { kind: 'lifetime', expiresInSeconds: 9 })
    expect((await exchange(simulator)).body).toMatchObject({ expires_in: 9 })
    expect(slept).toEqual([250])
  })

  test("Entra's clock, in Date, in what it issues and in what it refuses", async () => {
    await using simulator = await startInMemory()
    simulator.faults.add({ kind: 'clock', offsetMs: 200_000 })
    const ahead = await exchange(simulator, { version: 1 })
    expect(ahead.headers.get('date')).toBe('Tue, 24 Nov 2026 12:03:20 GMT')
    expect(ahead.body['not_before']).toBe(String(NOW / 1000 - 100))
    simulator.faults.set([{ kind: 'clock', offsetMs: -301_000 }])
    expect((await exchange(simulator)).body).toMatchObject({
      error_codes: [700024],
      timestamp: '2026-11-24 11:54:59Z',
    })
  })

  test('propagation flaps within its window and is over after it', async () => {
    let now = NOW
    const chances = [0.1, 0.9, 0.1]
    await using simulator = await startInMemory({
      now: () => now,
      random: () => chances.shift() ?? 0,
    })
    simulator.faults.add({ kind: 'propagation', windowMs: 60_000, probability: 0.5 })
    expect((await exchange(simulator)).body).toMatchObject({ error_codes: [70025] })
    expect((await exchange(simulator)).status).toBe(200)
    now += 60_000
    expect((await exchange(simulator)).status).toBe(200)
  })
})

describe('whom a fault meets', () => {
  test('as many requests as it says, and one after the other in order', async () => {
    await using simulator = await startInMemory()
    simulator.faults.add({ kind: 'unavailable', times: 2 }, { kind: 'throttled', times: 1 })
    const statuses: number[] = []
    for (let turn = 0; turn < 4; turn += 1) statuses.push((await raw(simulator)).status)
    expect(statuses).toEqual([503, 503, 429, 400])
    expect(simulator.faults.list()).toEqual([])
  })

  test('only the client id that it names', async () => {
    await using simulator = await startInMemory()
    simulator.faults.add({ kind: 'aadsts', code: 90033, clientId: BILLING.clientId })
    expect((await exchange(simulator)).status).toBe(200)
    expect((await exchange(simulator, { form: { client_id: BILLING.clientId } })).status).toBe(503)
  })

  test.each<[FaultInput['target'], string]>([
    ['metadata', 'https://entra.test/common/discovery/keys'],
    ['issuer', 'https://issuer.test/openid/v1/jwks'],
    ['vault', 'https://vault.test/secrets/x'],
  ])('only the target %s', async (target, url) => {
    await using simulator = await startInMemory()
    simulator.faults.add({ kind: 'status', status: 418, target })
    expect((await fetch(url, { dispatcher: simulator.dispatcher })).status).toBe(418)
    expect((await raw(simulator)).status).toBe(400)
  })

  test('a fault that makes no sense is not taken, and leaves the others', () => {
    const faults = createFaults()
    faults.add({ kind: 'hang' })
    expect(() => faults.set([{ kind: 'status', status: 42 }])).toThrow(/status/u)
    expect(faults.list()).toMatchObject([{ kind: 'hang', target: 'token' }])
  })
})
