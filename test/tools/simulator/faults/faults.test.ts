import { readFile } from 'node:fs/promises'
import { decodeJwt } from 'jose'
import { fetch } from 'undici'
import { describe, expect, test } from 'vitest'
import { FaultsSchema } from '../../../../src/tools/simulator/faults/faults.ts'
import { BILLING } from '../../../../src/tools/simulator/defaults.ts'
import { startSimulator, exchange, NOW } from '../exchange.ts'

describe('a replaced answer', () => {
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

  test('applies only to its target', async () => {
    await using simulator = await startSimulator()
    const { authorityHost, dispatcher } = simulator
    simulator.faults.add({ kind: 'status', status: 418, target: 'metadata' })
    expect(
      (await fetch(`${authorityHost}/common/discovery/v2.0/keys`, { dispatcher })).status,
    ).toBe(418)
    expect((await exchange(simulator)).status).toBe(200)
  })
})

test('docs/simulator.md has an item for each fault kind', async () => {
  const page = await readFile(new URL('../../../../docs/simulator.md', import.meta.url), 'utf8')
  const list = page.slice(page.indexOf('## Faults'), page.indexOf('Every fault also has'))
  const kinds = [...list.matchAll(/^- `([\w-]+)`/gmu)].map(([, kind]) => kind)
  expect(kinds).toEqual(FaultsSchema.element.options.map(({ shape }) => shape.kind.value))
})
