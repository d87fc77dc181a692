import { generateKeyPair, SignJWT } from 'jose'
import { describe, expect, test } from 'vitest'
import { ORDERS } from '../../../../src/tools/simulator/defaults.ts'
import type { Application } from '../../../../src/tools/simulator/entra/directory.ts'
import type { ProjectedTokenClaims } from '../../../../src/tools/simulator/issuer/issuer.ts'
import type { Simulator } from '../../../../src/tools/simulator/simulator.ts'
import { exchange, formatFailure, NOW, startSimulator } from '../exchange.ts'

const T = NOW / 1000
const claims = (overrides: Readonly<Record<string, unknown>>): ProjectedTokenClaims => ({
  claims: overrides,
})
const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')
const decode = (part: string) => JSON.parse(Buffer.from(part, 'base64url').toString())
const sign = async ({ issuer }: Simulator, options?: ProjectedTokenClaims) =>
  (await issuer.sign(options)).reveal().split('.')

describe('an assertion', () => {
  test.each<[string, ProjectedTokenClaims, string, RegExp]>([
    [
      'unknown issuer',
      claims({ iss: 'https://other.test' }),
      '401 700211',
      /'https:\/\/other.test'/,
    ],
    [
      'issuer with a trailing slash',
      claims({ iss: 'https://issuer.test/' }),
      '401 700211',
      /issuer 'https:\/\/issuer.test\/'/,
    ],
    ['other service account', { serviceAccount: 'intruder' }, '401 700213', /shop:intruder'/],
    ['case of the subject', { serviceAccount: 'Orders' }, '401 7002138', /not with case-sensitive/],
    [
      'other audience',
      { audience: 'https://kubernetes.default.svc' },
      '401 700212',
      /audience 'https:\/\/kubernetes.default.svc'/,
    ],
    [
      'case of the audience',
      { audience: 'api://azureadtokenexchange' },
      '401 7002121',
      /audience 'api:\/\/azureadtokenexchange'/,
    ],
    [
      'lifetime over 25 hours',
      { lifetimeSeconds: 90_001 },
      '401 70023',
      /1\.01:00:00.*2026-11-25T13:00:01\.0000000Z/,
    ],
    [
      'expired beyond the tolerance',
      claims({ iat: T - 3900, nbf: T - 3900, exp: T - 300 }),
      '401 700024',
      /Current time: 2026-11-24T12:00:00\.0000000Z, assertion valid from 2026-11-24T10:55:00\.0000000Z, expiry time of assertion 2026-11-24T11:55:00\.0000000Z/,
    ],
    ['not valid yet', claims({ iat: T, nbf: T + 301 }), '401 700024', /from 2026-11-24T12:05:01/],
    ['no key id', { header: { kid: undefined } }, '401 5002723', /keyId/],
    [
      'unknown key id',
      { header: { kid: 'gone' } },
      '401 7000272',
      /identifier gone .* provider htt/,
    ],
    ['no subject', claims({ sub: undefined }), '400 50027', /malformed/],
  ])('is rejected with its AADSTS code: %s', async (_, token, failure, text) => {
    await using simulator = await startSimulator()
    await simulator.rotateToken(token)
    const { status, body } = await exchange(simulator)
    expect(`${status} ${String(body['error_codes'])}`).toBe(failure)
    expect(body['error_description']).toMatch(text)
  })

  test.each<[string, ProjectedTokenClaims]>([
    ['at the maximum lifetime', { lifetimeSeconds: 90_000 }],
    ['within the tolerance', claims({ iat: T - 3899, nbf: T - 3899, exp: T - 299 })],
  ])('is accepted %s', async (_, token) => {
    await using simulator = await startSimulator()
    await simulator.rotateToken(token)
    expect((await exchange(simulator)).status).toBe(200)
  })

  test('is rejected when another key signed it under the right key id', async () => {
    await using simulator = await startSimulator()
    const [header = '', payload = ''] = await sign(simulator)
    const { privateKey } = await generateKeyPair('RS256')
    const assertion = await new SignJWT(decode(payload))
      .setProtectedHeader(decode(header))
      .sign(privateKey)
    const outcome = await exchange(simulator, { assertion })
    expect(formatFailure(outcome)).toBe('401 invalid_client 700027')
    expect(outcome.body['error_description']).toMatch(/failed signature validation/)
  })

  test('is rejected without a signature', async () => {
    await using simulator = await startSimulator()
    const [, payload] = await sign(simulator)
    const assertion = `${encode({ alg: 'none', kid: 'any' })}.${payload}.`
    const outcome = await exchange(simulator, { assertion })
    expect(formatFailure(outcome)).toBe('400 invalid_request 5002738')
  })

  test.each(['ES256', 'ES384', 'PS256'])('is rejected when it is signed with %s', async (alg) => {
    await using simulator = await startSimulator()
    const [header = '', payload = ''] = await sign(simulator)
    const { privateKey } = await generateKeyPair(alg)
    const assertion = await new SignJWT(decode(payload))
      .setProtectedHeader({ ...decode(header), alg })
      .sign(privateKey)
    const outcome = await exchange(simulator, { assertion })
    expect(formatFailure(outcome)).toBe('400 invalid_request 5002738')
    expect(outcome.body['error_description']).toContain(`'${alg}' is not a supported`)
  })

  test('is rejected with a changed payload', async () => {
    await using simulator = await startSimulator()
    const [header, , signature] = await sign(simulator, { serviceAccount: 'intruder' })
    const [, payload] = await sign(simulator)
    const assertion = [header, payload, signature].join('.')
    const outcome = await exchange(simulator, { assertion })
    expect(formatFailure(outcome)).toBe('401 invalid_client 700027')
  })

  test('is rejected when its key is not published', async () => {
    await using simulator = await startSimulator()
    const kid = await simulator.issuer.rotateKey({ published: false })
    await simulator.rotateToken()
    const outcome = await exchange(simulator)
    expect(formatFailure(outcome)).toBe('401 invalid_client 7000272')
    expect(outcome.body['error_description']).toContain(kid)
  })

  test("is accepted when it is a managed identity's token (chained identities)", async () => {
    await using simulator = await startSimulator()
    const { applications } = simulator.directory
    const [orders] = applications
    if (orders === undefined) throw new Error('orders is in the default directory')
    const clientId = '99999999-9999-4999-8999-999999999999'
    const credential: Application['federatedCredentials'][number] = {
      name: 'chained',
      issuer: `https://entra.test/${simulator.tenantId}/v2.0`,
      subject: ORDERS.objectId,
      audience: 'api://AzureADTokenExchange',
    }
    applications.push({ ...orders, clientId, federatedCredentials: [credential] })
    const first = await exchange(simulator, {
      form: { scope: 'api://AzureADTokenExchange/.default' },
    })
    const chained = { assertion: String(first.body['access_token']), form: { client_id: clientId } }
    expect((await exchange(simulator, chained)).status).toBe(200)

    credential.subject = ORDERS.clientId
    expect(formatFailure(await exchange(simulator, chained))).toBe('401 invalid_client 700213')
  })
})
