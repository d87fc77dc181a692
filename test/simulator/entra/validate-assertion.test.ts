import { generateKeyPair, SignJWT, UnsecuredJWT } from 'jose'
import { describe, expect, test } from 'vitest'
import type { ProjectedTokenClaims } from '../../../src/simulator/issuer/issuer.ts'
import { startInMemory, exchange, NOW } from '../exchange.ts'

describe('a projected token that is wrong', () => {
  test.each<[string, ProjectedTokenClaims, number, number, RegExp]>([
    [
      'names an unknown issuer',
      { claims: { iss: 'https://other.test' } },
      700211,
      401,
      /issuer 'https:\/\/other.test'/,
    ],
    [
      'names the issuer with another ending',
      { claims: { iss: 'https://issuer.test/' } },
      700211,
      401,
      /issuer 'https:\/\/issuer.test\/'/,
    ],
    [
      'is of another service account',
      { serviceAccount: 'intruder' },
      700213,
      401,
      /subject 'system:serviceaccount:shop:intruder'/,
    ],
    [
      'differs in the case of the subject',
      { serviceAccount: 'Orders' },
      7002138,
      401,
      /not with case-sensitive comparison/,
    ],
    [
      'is for another audience',
      { audience: 'https://kubernetes.default.svc' },
      700212,
      401,
      /audience 'https:\/\/kubernetes.default.svc'/,
    ],
    [
      'differs in the case of the audience',
      { audience: 'api://azureadtokenexchange' },
      7002121,
      401,
      /audience 'api:\/\/azureadtokenexchange'/,
    ],
    [
      'lives longer than 25 hours',
      { lifetimeSeconds: 90_001 },
      70023,
      401,
      /1\.01:00:00.*2026-11-25T13:00:01\.0000000Z/,
    ],
    [
      'expired beyond the tolerance',
      { claims: { iat: NOW / 1000 - 3900, nbf: NOW / 1000 - 3900, exp: NOW / 1000 - 300 } },
      700024,
      401,
      /Current time: 2026-11-24T12:00:00\.0000000Z, assertion valid from 2026-11-24T10:55:00\.0000000Z, expiry time of assertion 2026-11-24T11:55:00\.0000000Z/,
    ],
    [
      'is not valid yet',
      { claims: { iat: NOW / 1000, nbf: NOW / 1000 + 301 } },
      700024,
      401,
      /valid from 2026-11-24T12:05:01/,
    ],
    ['has no key id', { header: { kid: undefined } }, 5002723, 401, /keyId/],
    [
      'has an unknown key id',
      { header: { kid: 'gone' } },
      7000272,
      401,
      /identifier gone .* provider https:\/\/issuer.test/,
    ],
    [
      'names the client itself as issuer',
      { claims: { iss: '11111111-1111-4111-8111-111111111111' } },
      700027,
      401,
      /not registered on application/,
    ],
    ['has no subject', { claims: { sub: undefined } }, 50027, 400, /malformed/],
  ])('%s', async (_, claims, code, status, text) => {
    await using simulator = await startInMemory()
    await simulator.rotateToken(claims)
    const outcome = await exchange(simulator)
    expect({ ...outcome.body, status: outcome.status }).toMatchObject({
      error_codes: [code],
      status,
    })
    expect(outcome.body['error_description']).toMatch(text)
  })

  test('just within the tolerance and the longest life is taken', async () => {
    await using simulator = await startInMemory()
    await simulator.rotateToken({ lifetimeSeconds: 90_000 })
    expect((await exchange(simulator)).status).toBe(200)
    await simulator.rotateToken({
      claims: { iat: NOW / 1000 - 3899, nbf: NOW / 1000 - 3899, exp: NOW / 1000 - 299 },
    })
    expect((await exchange(simulator)).status).toBe(200)
  })

  test('signed by a stranger under the right key id', async () => {
    await using simulator = await startInMemory()
    const [head] = (await simulator.issuer.sign()).reveal().split('.')
    const { kid } = JSON.parse(Buffer.from(head ?? '', 'base64url').toString())
    const { privateKey } = await generateKeyPair('RS256')
    const forged = await new SignJWT({
      iss: simulator.issuer.issuer,
      sub: 'system:serviceaccount:shop:orders',
      aud: 'api://AzureADTokenExchange',
      iat: NOW / 1000,
      exp: NOW / 1000 + 60,
    })
      .setProtectedHeader({ alg: 'RS256', kid })
      .sign(privateKey)
    const { status, body } = await exchange(simulator, { assertion: forged })
    expect({ ...body, status }).toMatchObject({ error_codes: [700027], status: 401 })
    expect(body['error_description']).toMatch(/failed signature validation/)
  })

  test('without a signature', async () => {
    await using simulator = await startInMemory()
    const [, payload = ''] = (await simulator.issuer.sign()).reveal().split('.')
    const unsigned = new UnsecuredJWT(
      JSON.parse(Buffer.from(payload, 'base64url').toString()),
    ).encode()
    const header = Buffer.from('{"alg":"none","kid":"any"}').toString('base64url')
    const { body } = await exchange(simulator, { assertion: unsigned.replace(/^[^.]*/u, header) })
    expect(body).toMatchObject({ error_codes: [5002730] })
  })

  test('with a changed payload', async () => {
    await using simulator = await startInMemory()
    await simulator.rotateToken({ serviceAccount: 'intruder' })
    const [head, , signature] = (await simulator.issuer.sign({ serviceAccount: 'intruder' }))
      .reveal()
      .split('.')
    const [, payload] = (await simulator.issuer.sign()).reveal().split('.')
    const { body } = await exchange(simulator, { assertion: [head, payload, signature].join('.') })
    expect(body).toMatchObject({ error_codes: [700027] })
  })

  test('signed with a key that was rotated in but not published', async () => {
    await using simulator = await startInMemory()
    const kid = await simulator.issuer.rotateKey({ published: false })
    await simulator.rotateToken()
    const { body } = await exchange(simulator)
    expect(body).toMatchObject({ error_codes: [7000272] })
    expect(body['error_description']).toContain(kid)
  })
})
