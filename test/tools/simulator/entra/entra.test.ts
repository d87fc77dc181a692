import { createRemoteJWKSet, customFetch, decodeJwt, decodeProtectedHeader, jwtVerify } from 'jose'
import { fetch } from 'undici'
import { describe, expect, test } from 'vitest'
import { ORDERS, TENANT_ID } from '../../../../src/tools/simulator/defaults.ts'
import type { Simulator } from '../../../../src/tools/simulator/simulator.ts'
import { exchange, NOW, startSimulator } from '../exchange.ts'

const V1_ISSUER = `https://sts.windows.net/${TENANT_ID}/`
const GUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/u

/** Validates a token as a resource server does: discovery, key set, signature, times. */
async function validate(simulator: Simulator, token: unknown, issuer?: string) {
  const discovery = await fetch(
    `${simulator.authorityHost}/${TENANT_ID}/v2.0/.well-known/openid-configuration`,
    { dispatcher: simulator.dispatcher },
  )
  const { issuer: ofV2, jwks_uri: keys } = Object(await discovery.json())
  const keySet = createRemoteJWKSet(new URL(keys), {
    [customFetch]: async (url) => {
      const response = await fetch(url, { dispatcher: simulator.dispatcher })
      return new Response(await response.text(), { status: response.status })
    },
  })
  return jwtVerify(String(token), keySet, { issuer: issuer ?? ofV2, currentDate: new Date(NOW) })
}

describe('an access token', () => {
  test('for a version 1 resource has the claims of version 1', async () => {
    await using simulator = await startSimulator()
    const { body } = await exchange(simulator)
    const { payload, protectedHeader } = await validate(simulator, body['access_token'], V1_ISSUER)

    expect(protectedHeader).toEqual({
      typ: 'JWT',
      alg: 'RS256',
      x5t: protectedHeader.kid,
      kid: expect.stringMatching(/^[\w-]{27}$/u),
    })
    expect(payload).toMatchObject({
      aud: 'https://vault.azure.net',
      iat: NOW / 1000 - 300,
      exp: NOW / 1000 + Number(body['expires_in']),
      appid: ORDERS.clientId,
      idtyp: 'app',
      oid: ORDERS.objectId,
      ver: '1.0',
    })
  })

  test('for a version 2 resource has the claims of version 2', async () => {
    await using simulator = await startSimulator()
    const { body } = await exchange(simulator, { form: { scope: 'api://orders-api/.default' } })
    const { payload, protectedHeader } = await validate(simulator, body['access_token'])

    expect(protectedHeader).not.toHaveProperty('x5t')
    expect(payload).toMatchObject({
      aud: '77777777-7777-4777-8777-777777777777',
      iss: `${simulator.authorityHost}/${TENANT_ID}/v2.0`,
      azp: ORDERS.clientId,
      azpacr: '2',
      ver: '2.0',
    })
  })

  test.each([
    ['https://vault.azure.net/.default', 'https://vault.azure.net'],
    ['https://vault.azure.net//.default', 'https://vault.azure.net/'],
    ['cfa8b339-82a2-471a-a3c9-0fc0be7a4093/.default', 'cfa8b339-82a2-471a-a3c9-0fc0be7a4093'],
    ['https://a.blob.core.windows.net/.default', 'https://a.blob.core.windows.net'],
    // As MSAL for Go sends it.
    ['openid offline_access profile https://vault.azure.net/.default', 'https://vault.azure.net'],
  ])('for the scope %s has the audience %s', async (scope, audience) => {
    await using simulator = await startSimulator()
    const { body } = await exchange(simulator, { form: { scope } })
    expect(decodeJwt(String(body['access_token'])).aud).toBe(audience)
  })

  test('contains the managed identity', async () => {
    await using simulator = await startSimulator()
    const [application] = simulator.directory.applications
    Object.assign(application ?? {}, {
      kind: 'managed-identity',
      resourceId: '/subscriptions/1/orders',
    })
    const { body } = await exchange(simulator)
    expect(decodeJwt(String(body['access_token']))).toMatchObject({
      xms_mirid: '/subscriptions/1/orders',
    })
    expect(body).toMatchObject({ expires_in: 86_399, refresh_in: 43_199 })
  })
})

test('a projected token has the header and claims of a cluster', async () => {
  await using simulator = await startSimulator()
  const token = (await simulator.issuer.sign()).reveal()
  const claims = decodeJwt(token)
  expect(decodeProtectedHeader(token)).toEqual({
    alg: 'RS256',
    kid: expect.stringMatching(/^[\w-]{43}$/u),
  })
  expect(claims).toMatchObject({
    aud: ['api://AzureADTokenExchange'],
    exp: NOW / 1000 + 3600,
    iss: simulator.issuer.issuer,
    'kubernetes.io': {
      namespace: 'shop',
      pod: { name: 'orders-0', uid: expect.stringMatching(GUID) },
      serviceaccount: { name: 'orders', uid: expect.stringMatching(GUID) },
    },
    sub: 'system:serviceaccount:shop:orders',
  })
})
