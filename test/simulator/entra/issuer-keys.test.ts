import { exportJWK, generateKeyPair } from 'jose'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import type { SimulatorOptions } from '../../../src/simulator/simulator.ts'
import { startInMemory, exchange, NOW } from '../exchange.ts'

const KeySet = z.object({ keys: z.array(z.unknown()) })

/** The simulator's issuer as Entra would see it if it served these documents. */
const reach = (documents: Readonly<Record<string, unknown>>): SimulatorOptions => ({
  externalIssuers: new Map([
    [
      'https://issuer.test',
      {
        async fetchText(url) {
          const body = documents[new URL(url).pathname]
          if (body === undefined) throw new Error('unreachable')
          return { status: 200, text: typeof body === 'string' ? body : JSON.stringify(body) }
        },
      },
    ],
  ]),
})

describe('an issuer that is wrong', () => {
  const discovery = { issuer: 'https://issuer.test', jwks_uri: 'https://issuer.test/jwks' }
  const WELL_KNOWN = '/.well-known/openid-configuration'

  test.each<[string, Readonly<Record<string, unknown>>, number, RegExp]>([
    ['cannot be reached', {}, 501661, /External OIDC endpoint/],
    ['answers with HTML', { [WELL_KNOWN]: '<html>' }, 501661, /External OIDC endpoint/],
    [
      'names another issuer',
      { [WELL_KNOWN]: { ...discovery, issuer: 'https://else.test' } },
      501661,
      /External OIDC endpoint/,
    ],
    ['has no key set', { [WELL_KNOWN]: discovery }, 501661, /External OIDC endpoint/],
    [
      'has a malformed key set',
      { [WELL_KNOWN]: discovery, '/jwks': { keys: 'none' } },
      900612,
      /Failed to parse provider signing keys/,
    ],
    [
      'has an empty key set',
      { [WELL_KNOWN]: discovery, '/jwks': { keys: [] } },
      900612,
      /Failed to parse provider signing keys/,
    ],
  ])('%s', async (_, documents, code, text) => {
    await using simulator = await startInMemory(reach(documents))
    const { status, body } = await exchange(simulator)
    expect({ ...body, status }).toMatchObject({
      error: 'invalid_request',
      error_codes: [code],
      status: 400,
    })
    expect(body['error_description']).toMatch(text)
  })

  test('answers 500', async () => {
    await using simulator = await startInMemory()
    simulator.faults.add({ kind: 'status', status: 500, target: 'issuer', times: 1 })
    expect((await exchange(simulator)).body).toMatchObject({ error_codes: [501661] })
    expect((await exchange(simulator)).status).toBe(200)
  })

  test('has the signing key behind a hundred others, of which Entra reads no more', async () => {
    const { publicKey } = await generateKeyPair('RS256', { extractable: true })
    const jwk = await exportJWK(publicKey)
    await using simulator = await startInMemory()
    const own = await simulator.issuer.handler(new Request('https://issuer.test/openid/v1/jwks'))
    const { keys } = KeySet.parse(await own.json())
    const others = Array.from({ length: 100 }, (_, index) => ({ ...jwk, kid: `other-${index}` }))
    await using crowded = await startInMemory(
      reach({ [WELL_KNOWN]: discovery, '/jwks': { keys: [...others, ...keys] } }),
    )
    const { body } = await exchange(crowded, {
      assertion: (await simulator.issuer.sign()).reveal(),
    })
    expect(body).toMatchObject({ error_codes: [7000272] })
  })

  test('is held as long as the cache says, so that a new key is unknown until then', async () => {
    let now = NOW
    await using simulator = await startInMemory({ now: () => now, issuerCacheMs: 60_000 })
    expect((await exchange(simulator)).status).toBe(200)
    await simulator.issuer.rotateKey()
    await simulator.rotateToken()
    expect((await exchange(simulator)).body).toMatchObject({ error_codes: [7000272] })
    now += 60_001
    expect((await exchange(simulator)).status).toBe(200)
  })
})
