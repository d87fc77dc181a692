import { MockAgent } from 'undici'
import { describe, expect, test } from 'vitest'
import { ORDERS } from '../../../../src/tools/simulator/defaults.ts'
import { exchange, formatFailure, startSimulator } from '../exchange.ts'

const ISSUER = 'https://issuer.test'
const TRUSTING = {
  applications: [
    {
      ...ORDERS,
      federatedCredentials: [{ issuer: ISSUER, subject: 'system:serviceaccount:shop:orders' }],
    },
  ],
}
const WELL_KNOWN = '/.well-known/openid-configuration'
const DISCOVERY = { issuer: ISSUER, jwks_uri: `${ISSUER}/jwks` }
const ELSEWHERE = { ...DISCOVERY, issuer: 'https://else.test' }

describe("the issuer's keys", () => {
  test.each<[string, Readonly<Record<string, unknown>>]>([
    ['501661', {}],
    ['501661', { [WELL_KNOWN]: ELSEWHERE }],
    ['501661', { [WELL_KNOWN]: DISCOVERY }],
    ['50166', { [WELL_KNOWN]: { ...DISCOVERY, authorization_endpoint: '' } }],
    ['501661', { [WELL_KNOWN]: { ...DISCOVERY, subject_types_supported: [] } }],
    ['900612', { [WELL_KNOWN]: DISCOVERY, '/jwks': { keys: [] } }],
  ])('fail the exchange with AADSTS%s for the documents %j', async (code, documents) => {
    const dispatcher = new MockAgent()
    dispatcher.disableNetConnect()
    for (const [path, body] of Object.entries(documents)) {
      dispatcher.get(ISSUER).intercept({ path }).reply(200, JSON.stringify(body))
    }
    const externalIssuers = new Map([[ISSUER, { dispatcher }]])
    await using simulator = await startSimulator({ externalIssuers, directory: TRUSTING })
    await simulator.rotateToken({ claims: { iss: ISSUER } })
    expect(formatFailure(await exchange(simulator))).toBe(`400 invalid_request ${code}`)
  })

  test('fail the exchange while the issuer answers 500', async () => {
    await using simulator = await startSimulator()
    simulator.faults.add({ kind: 'status', status: 500, target: 'issuer', times: 1 })
    expect(formatFailure(await exchange(simulator))).toBe('400 invalid_request 501661')
    expect((await exchange(simulator)).status).toBe(200)
  })
})
