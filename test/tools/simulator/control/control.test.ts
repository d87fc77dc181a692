import { fetch } from 'undici'
import { describe, expect, test } from 'vitest'
import { BILLING } from '../../../../src/tools/simulator/defaults.ts'
import type { Simulator } from '../../../../src/tools/simulator/simulator.ts'
import { startSimulator, exchange } from '../exchange.ts'

const control = async (simulator: Simulator, method: string, path: string, body?: unknown) => {
  const response = await fetch(`${simulator.authorityHost}/simulator/${path}`, {
    method,
    dispatcher: simulator.dispatcher,
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  })
  return { status: response.status, body: await response.json() }
}

const ORDERS_ACCOUNT = { subject: 'system:serviceaccount:shop:orders' }

/** No fault applies to the control endpoints. */
const HANG = { kind: 'hang', target: 'metadata' }

describe('a control endpoint', () => {
  test('sets, adds, lists and clears faults', async () => {
    await using simulator = await startSimulator()
    const shown = [expect.objectContaining({ kind: 'throttled', times: 3 })]
    expect(await control(simulator, 'PUT', 'faults', [{ kind: 'throttled', times: 3 }])).toEqual({
      status: 200,
      body: shown,
    })
    expect(await control(simulator, 'GET', 'faults')).toEqual({ status: 200, body: shown })
    expect((await control(simulator, 'POST', 'faults', [HANG])).body).toHaveLength(2)
    expect(await control(simulator, 'DELETE', 'faults')).toEqual({ status: 200, body: [] })
    expect((await exchange(simulator)).status).toBe(200)
  })

  test.each([
    [[{ kind: 'typo' }], /^\[0\]\.kind: .* Expected 'status' \| 'throttled' \| /],
    ['[{', /^the body is not JSON$/],
    [
      [{ kind: 'hang', times: 0, target: 'issuers', clientId: 'x' }],
      /^\[0\]\.target: .*"token"\|"metadata"\|"issuer"; \[0\]\.clientId: Invalid GUID; \[0\]\.times: .*>0$/,
    ],
    [[{ kind: 'hang', tims: 1 }], /^\[0\]: has an unknown key: tims$/],
    [
      [{ kind: 'delay', ms: 'x' }, { kind: 'status' }],
      /^\[0\]\.ms: must be a number; \[1\]\.status: is missing$/,
    ],
  ])('answers %j with 400, the error and the allowed values', async (body, error) => {
    await using simulator = await startSimulator()
    expect(await control(simulator, 'PUT', 'faults', body)).toEqual({
      status: 400,
      body: { error: expect.stringMatching(error) },
    })
  })

  test('counts and lists exchanges without tokens', async () => {
    await using simulator = await startSimulator()
    const { body } = await exchange(simulator)
    await exchange(simulator, { form: { client_id: BILLING.clientId } })
    const seen = await control(simulator, 'GET', 'requests')
    expect(seen.body).toMatchObject({
      counters: {
        byTarget: { token: 2, issuer: 2 },
        issued: 1,
      },
    })
    expect(Object(seen.body).requests.at(-1)).toMatchObject({
      at: '2026-11-24T12:00:00.000Z',
      target: 'token',
      clientId: BILLING.clientId,
      resource: 'https://vault.azure.net/.default',
      outcome: 401,
      aadsts: 700213,
    })
    expect(JSON.stringify(seen.body)).not.toContain('eyJ')
    expect(JSON.stringify(seen.body)).not.toContain(String(body['access_token']).slice(-20))
    expect((await control(simulator, 'DELETE', 'requests')).body).toMatchObject({
      requests: [],
      counters: { issued: 0 },
    })
    expect(simulator.exchanges()).toBe(0)
  })

  test('changes the directory at run time', async () => {
    await using simulator = await startSimulator()
    const { body } = await control(simulator, 'GET', 'directory')
    expect(Object(body).applications).toHaveLength(3)
    const changed = { ...Object(body), applications: [] }
    expect((await control(simulator, 'PUT', 'directory', changed)).status).toBe(200)
    expect((await exchange(simulator)).body).toMatchObject({ error_codes: [700016] })
    expect(await control(simulator, 'PUT', 'directory', { tenants: [] })).toMatchObject({
      status: 400,
    })
    expect(await control(simulator, 'PUT', 'directory', { tenants: 1 })).toMatchObject({
      body: { error: 'tenants: must be a list' },
    })
    const named = [{ clientId: simulator.clientId, federatedCredentials: [ORDERS_ACCOUNT] }]
    await control(simulator, 'PUT', 'directory', { applications: named })
    expect((await exchange(simulator)).status).toBe(200)
  })

  test('writes a projected token with the given claims', async () => {
    await using simulator = await startSimulator()
    expect(await control(simulator, 'POST', 'token', { serviceAccount: 'intruder' })).toEqual({
      status: 200,
      body: {},
    })
    expect((await exchange(simulator)).body).toMatchObject({ error_codes: [700213] })
    expect(await control(simulator, 'POST', 'token', { lifetimeSeconds: 0 })).toEqual({
      status: 400,
      body: { error: expect.stringMatching(/^lifetimeSeconds: [^\n]+$/) },
    })
    const responses = Array.from({ length: 8 }, () => control(simulator, 'POST', 'token'))
    for (const { status } of await Promise.all(responses)) expect(status).toBe(200)
    expect((await exchange(simulator)).status).toBe(200)
  })
})
