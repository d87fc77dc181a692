import { describe, expect, test } from 'vitest'
import type { SimulatorOptions } from '../../../../src/tools/simulator/simulator.ts'
import { exchange, formatFailure, NOW, startSimulator } from '../exchange.ts'

const ISSUER = 'https://issuer.test'
const WELL_KNOWN = '/.well-known/openid-configuration'
const DISCOVERY = { issuer: ISSUER, jwks_uri: `${ISSUER}/jwks` }

/** Options in which the simulator's issuer serves these documents, by path. */
function serveDocuments(documents: Readonly<Record<string, unknown>>): SimulatorOptions {
  const fetchText = async (url: string) => {
    const body = documents[new URL(url).pathname]
    if (body === undefined) throw new Error('unreachable')
    return { status: 200, text: typeof body === 'string' ? body : JSON.stringify(body) }
  }
  return { externalIssuers: new Map([[ISSUER, { fetchText }]]) }
}

describe("the issuer's keys", () => {
  test.each<[string, Readonly<Record<string, unknown>>, string, RegExp]>([
    ['unreachable', {}, '400 invalid_request 501661', /External OIDC/],
    ['HTML', { [WELL_KNOWN]: '<html>' }, '400 invalid_request 501661', /External OIDC/],
    [
      'discovery document of another issuer',
      { [WELL_KNOWN]: { ...DISCOVERY, issuer: 'https://else.test' } },
      '400 invalid_request 501661',
      /External OIDC/,
    ],
    ['no key set', { [WELL_KNOWN]: DISCOVERY }, '400 invalid_request 501661', /External OIDC/],
    [
      'malformed key set',
      { [WELL_KNOWN]: DISCOVERY, '/jwks': { keys: 'none' } },
      '400 invalid_request 900612',
      /Failed to parse provider signing keys/,
    ],
    [
      'empty key set',
      { [WELL_KNOWN]: DISCOVERY, '/jwks': { keys: [] } },
      '400 invalid_request 900612',
      /Failed to parse provider signing keys/,
    ],
  ])('fail the exchange with an AADSTS code: %s', async (_, documents, failure, text) => {
    await using simulator = await startSimulator(serveDocuments(documents))
    const outcome = await exchange(simulator)
    expect(formatFailure(outcome)).toBe(failure)
    expect(outcome.body['error_description']).toMatch(text)
  })

  test('fail the exchange while the issuer answers 500', async () => {
    await using simulator = await startSimulator()
    simulator.faults.add({ kind: 'status', status: 500, target: 'issuer', times: 1 })
    expect(formatFailure(await exchange(simulator))).toBe('400 invalid_request 501661')
    expect((await exchange(simulator)).status).toBe(200)
  })

  test('are cached, so that a new key is unknown until the cache expires', async () => {
    let now = NOW
    await using simulator = await startSimulator({ now: () => now, issuerCacheMs: 60_000 })
    expect((await exchange(simulator)).status).toBe(200)
    await simulator.issuer.rotateKey()
    await simulator.rotateToken()
    expect(formatFailure(await exchange(simulator))).toBe('401 invalid_client 7000272')
    now += 60_001
    expect((await exchange(simulator)).status).toBe(200)
  })
})
