import { fetch } from 'undici'
import { describe, expect, test } from 'vitest'
import { ORDERS, TENANT_ID } from '../../../../src/tools/simulator/defaults.ts'
import type { Simulator } from '../../../../src/tools/simulator/simulator.ts'
import { startSimulator, exchange, NOW } from '../exchange.ts'

const SECRET = '/secrets/database-password'

async function get(simulator: Simulator, path: string, authorization?: string) {
  const response = await fetch(`${simulator.vaultUrl}${path}?api-version=7.4`, {
    dispatcher: simulator.dispatcher,
    headers: authorization === undefined ? {} : { authorization },
  })
  const body: unknown = await response.json()
  return { status: response.status, challenge: response.headers.get('www-authenticate'), body }
}

const tokenFor = async (simulator: Simulator, scope = 'https://vault.azure.net/.default') =>
  `Bearer ${String((await exchange(simulator, { form: { scope } })).body['access_token'])}`

test('the vault returns the secret for a valid token', async () => {
  await using simulator = await startSimulator()
  expect(await get(simulator, SECRET, await tokenFor(simulator))).toMatchObject({
    status: 200,
    body: {
      value: 'correct-horse',
      id: expect.stringMatching(
        /^https:\/\/vault\.test\/secrets\/database-password\/[0-9a-f]{32}$/u,
      ),
      attributes: { enabled: true, created: NOW / 1000 },
    },
  })
})

test('the vault accepts an audience with a trailing slash', async () => {
  await using simulator = await startSimulator()
  const token = await tokenFor(simulator, 'https://vault.azure.net//.default')
  expect((await get(simulator, SECRET, token)).status).toBe(200)
})

describe('the vault answers 401 with a challenge', () => {
  test.each([
    ['no token', undefined, /AKV10000/],
    ['another scheme', 'Basic dTpw', /AKV10000/],
    ['a token that is not a JWT', 'Bearer nonsense', /Invalid Compact JWS/],
  ])('for %s', async (_, authorization, message) => {
    await using simulator = await startSimulator()
    expect(await get(simulator, SECRET, authorization)).toEqual({
      status: 401,
      challenge: `Bearer authorization="https://entra.test/${TENANT_ID}", resource="https://vault.azure.net"`,
      body: { error: { code: 'Unauthorized', message: expect.stringMatching(message) } },
    })
  })

  test('for a token with another audience', async () => {
    await using simulator = await startSimulator()
    const token = await tokenFor(simulator, 'https://storage.azure.com/.default')
    expect(await get(simulator, SECRET, token)).toMatchObject({
      status: 401,
      body: {
        error: { message: expect.stringMatching(/"aud"/) },
      },
    })
  })

  test('for an expired token', async () => {
    let now = NOW
    await using simulator = await startSimulator({ now: () => now })
    const token = await tokenFor(simulator)
    now += 2 * 3_600_000
    expect(await get(simulator, SECRET, token)).toMatchObject({
      status: 401,
      body: { error: { message: expect.stringContaining('"exp"') } },
    })
  })

  test('for a token of another Entra ID', async () => {
    await using simulator = await startSimulator()
    await using other = await startSimulator()
    expect((await get(simulator, SECRET, await tokenFor(other))).status).toBe(401)
  })

  test('for a token of another tenant', async () => {
    const otherTenant = '99999999-9999-4999-8999-999999999999'
    await using simulator = await startSimulator()
    simulator.directory.tenants.push({ id: otherTenant, name: 'Fabrikam', domains: [] })
    const [application] = simulator.directory.applications
    if (application)
      simulator.directory.applications.push({ ...application, tenantId: otherTenant })
    const { body } = await exchange(simulator, { tenant: otherTenant })
    expect(await get(simulator, SECRET, `Bearer ${String(body['access_token'])}`)).toMatchObject({
      status: 401,
      body: { error: { message: expect.stringContaining('"iss"') } },
    })
  })
})

test('the vault answers 403 when the permission has been removed', async () => {
  await using simulator = await startSimulator()
  simulator.secrets.set('database-password', { value: 'x', allowedClientIds: [] })
  expect(await get(simulator, SECRET, await tokenFor(simulator))).toMatchObject({
    status: 403,
    body: {
      error: {
        code: 'Forbidden',
        message: expect.stringContaining(`appid=${ORDERS.clientId};oid=${ORDERS.objectId}`),
        innererror: { code: 'AccessDenied' },
      },
    },
  })
})

test.each([
  ['/secrets/unknown', 'SecretNotFound'],
  ['/keys/some', 'NotFound'],
])('the vault answers 404 for %s', async (path, code) => {
  await using simulator = await startSimulator()
  expect(await get(simulator, path, await tokenFor(simulator))).toMatchObject({
    status: 404,
    body: { error: { code } },
  })
})
