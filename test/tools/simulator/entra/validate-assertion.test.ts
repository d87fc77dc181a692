import { generateKeyPair, SignJWT } from 'jose'
import { describe, expect, test } from 'vitest'
import type { ProjectedTokenClaims } from '../../../../src/tools/simulator/issuer/issuer.ts'
import type { Simulator } from '../../../../src/tools/simulator/simulator.ts'
import { exchange, formatFailure, NOW, startSimulator } from '../exchange.ts'

const T = NOW / 1000
const claims = (overrides: Readonly<Record<string, unknown>>): ProjectedTokenClaims => ({
  claims: overrides,
})
const decode = (part: string) => JSON.parse(Buffer.from(part, 'base64url').toString())
const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
const sign = async ({ issuer }: Simulator, options?: ProjectedTokenClaims) =>
  (await issuer.sign(options)).reveal().split('.')

/** Signs the claims of a projected token with a new key, which the header does not name. */
async function forge(simulator: Simulator, alg: string): Promise<string> {
  const [header = '', payload = ''] = await sign(simulator)
  const { privateKey } = await generateKeyPair(alg)
  const token = new SignJWT(decode(payload)).setProtectedHeader({ ...decode(header), alg })
  return token.sign(privateKey)
}

const EXPIRED = claims({ iat: T - 3900, nbf: T - 3900, exp: T - 300 })
const LATER = claims({ iat: T, nbf: T + 301 })

describe('an assertion', () => {
  test.each<[string, ProjectedTokenClaims, string]>([
    ['401 700211', claims({ iss: 'https://other.test' }), "'https://other.test'"],
    ['401 700213', { serviceAccount: 'intruder' }, "shop:intruder'"],
    ['401 7002138', { serviceAccount: 'Orders' }, 'not with case-sensitive'],
    ['401 700212', { audience: 'https://kubernetes' }, "audience 'https://kubernetes'"],
    ['401 7002121', { audience: 'api://azureadtokenexchange' }, "'api://azureadtokenexchange'"],
    ['401 70023', { lifetimeSeconds: 90_001 }, '1.01:00:00'],
    ['401 700024', EXPIRED, 'expiry time of assertion 2026-11-24T11:55:00.0000000Z'],
    ['401 700024', LATER, 'assertion valid from 2026-11-24T12:05:01'],
    ['401 5002723', { header: { kid: undefined } }, 'keyId'],
    ['401 7000272', { header: { kid: 'gone' } }, 'identifier gone'],
    ['400 50027', claims({ sub: undefined }), 'malformed'],
    ['401 70023', claims({ iat: undefined }), 'Token issued at 1970-01-01'],
    ['401 5002741', claims({ aud: ['api://AzureADTokenExchange', 'b'] }), '2 audience values'],
  ])('is rejected with %s: %j', async (failure, token, text) => {
    await using simulator = await startSimulator()
    await simulator.rotateToken(token)
    const { status, body } = await exchange(simulator)
    expect(`${status} ${String(body['error_codes'])}`).toBe(failure)
    expect(body['error_description']).toContain(text)
  })

  test.each<[string, ProjectedTokenClaims]>([
    ['at the maximum lifetime', { lifetimeSeconds: 90_000 }],
    ['within the tolerance', claims({ iat: T - 3899, nbf: T - 3899, exp: T - 299 })],
  ])('is accepted %s', async (_, token) => {
    await using simulator = await startSimulator()
    await simulator.rotateToken(token)
    expect((await exchange(simulator)).status).toBe(200)
  })

  test.each<[string, string, (simulator: Simulator) => Promise<string>]>([
    ['another key under the right key id', '401 invalid_client 700027', (to) => forge(to, 'RS256')],
    ['an elliptic curve', '400 invalid_request 5002738', (to) => forge(to, 'ES256')],
    [
      'nothing',
      '400 invalid_request 5002738',
      async (to) => `${encode({ alg: 'none', kid: 'any' })}.${(await sign(to))[1]}.`,
    ],
    [
      'the key, for another payload',
      '401 invalid_client 700027',
      async (to) => {
        const [, payload = ''] = await sign(to)
        return (await sign(to, { serviceAccount: 'intruder' })).with(1, payload).join('.')
      },
    ],
  ])('is rejected when it is signed with %s', async (_, failure, createAssertion) => {
    await using simulator = await startSimulator()
    const assertion = await createAssertion(simulator)
    expect(formatFailure(await exchange(simulator, { assertion }))).toBe(failure)
  })

  test('is rejected when its issuer has another trailing slash', async () => {
    await using simulator = await startSimulator()
    await simulator.rotateToken(claims({ iss: `${simulator.issuer.issuer}/` }))
    expect(formatFailure(await exchange(simulator))).toBe('401 invalid_client 700211')
  })
})
