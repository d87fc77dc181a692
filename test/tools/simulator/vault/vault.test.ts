import { fetch } from 'undici'
import { describe, expect, test } from 'vitest'
import { ORDERS, TENANT_ID } from '../../../../src/tools/simulator/defaults.ts'
import type { Simulator } from '../../../../src/tools/simulator/simulator.ts'
import { startSimulator, exchange, NOW, type RequestChanges } from '../exchange.ts'

const SECRET = '/secrets/database-password'

async function get(simulator: Simulator, path: string, authorization?: string) {
  const response = await fetch(`${simulator.vaultUrl}${path}?api-version=7.4`, {
    dispatcher: simulator.dispatcher,
    headers: authorization === undefined ? {} : { authorization },
  })
  const body: unknown = await response.json()
  return { status: response.status, challenge: response.headers.get('www-authenticate'), body }
}

const tokenFor = async (simulator: Simulator, changes: RequestChanges = {}) =>
  `Bearer ${String((await exchange(simulator, changes)).body['access_token'])}`
const scope = (value: string): RequestChanges => ({ form: { scope: value } })

test.each(['https://vault.azure.net/.default', 'https://vault.azure.net//.default'])(
  'the vault returns the secret for a token of %s',
  async (name) => {
    await using simulator = await startSimulator()
    const token = await tokenFor(simulator, scope(name))
    expect(await get(simulator, SECRET, token)).toMatchObject({
      status: 200,
      body: {
        value: 'correct-horse',
        id: expect.stringMatching(
          /^https:\/\/127\.0\.0\.1:\d+\/secrets\/database-password\/[0-9a-f]{32}$/,
        ),
        attributes: { enabled: true, created: NOW / 1000 },
      },
    })
  },
)

const OTHER_TENANT = '99999999-9999-4999-8999-999999999999'

/** Has the application in a second tenant, too. */
function addTenant({ directory }: Simulator): void {
  directory.tenants.push({ id: OTHER_TENANT, name: 'Fabrikam', domains: [] })
  const [application] = directory.applications
  if (application) directory.applications.push({ ...application, tenantId: OTHER_TENANT })
}

describe('the vault answers 401', () => {
  test.each([
    ['no token', undefined, /AKV10000/],
    ['another scheme', 'Basic dTpw', /AKV10000/],
    ['a token that is not a JWT', 'Bearer nonsense', /Invalid Compact JWS/],
  ])('with a challenge for %s', async (_, authorization, message) => {
    await using simulator = await startSimulator()
    expect(await get(simulator, SECRET, authorization)).toEqual({
      status: 401,
      challenge: `Bearer authorization="${simulator.authorityHost}/${TENANT_ID}", resource="https://vault.azure.net"`,
      body: { error: { code: 'Unauthorized', message: expect.stringMatching(message) } },
    })
  })

  const OTHER_AUDIENCE = scope('https://storage.azure.com/.default')

  test.each([
    ['with another audience', '"aud"', OTHER_AUDIENCE, 0],
    ['that has expired', '"exp"', {}, 2 * 3_600_000],
    ['of another tenant', '"iss"', { tenant: OTHER_TENANT }, 0],
  ])('for a token %s', async (_, message, changes, passedMs) => {
    let now = NOW
    await using simulator = await startSimulator({ now: () => now })
    addTenant(simulator)
    const token = await tokenFor(simulator, changes)
    now += passedMs
    expect(await get(simulator, SECRET, token)).toMatchObject({
      status: 401,
      body: { error: { message: expect.stringContaining(message) } },
    })
  })

  test('for a token of another Entra ID', async () => {
    await using simulator = await startSimulator()
    await using other = await startSimulator()
    const { status, body } = await get(simulator, SECRET, await tokenFor(other))
    expect(status).toBe(401)
    expect(body).toMatchObject({ error: { message: expect.stringContaining('key') } })
  })
})

test('the vault answers 403 when the permission has been removed', async () => {
  await using simulator = await startSimulator()
  simulator.secrets.set('database-password', { value: 'x', allowedClientIds: [] })
  const message = expect.stringContaining(`appid=${ORDERS.clientId};oid=${ORDERS.objectId}`)
  expect(await get(simulator, SECRET, await tokenFor(simulator))).toMatchObject({
    status: 403,
    body: { error: { code: 'Forbidden', message } },
  })
})

test.each([
  ['/secrets/unknown', 'SecretNotFound'],
  ['/keys/some', 'SecretNotFound'],
])('the vault answers 404 for %s', async (path, code) => {
  await using simulator = await startSimulator()
  const body = { error: { code } }
  expect(await get(simulator, path, await tokenFor(simulator))).toMatchObject({ status: 404, body })
})
