import { describe, expect, test } from 'vitest'
import { BILLING, REPORTS } from '../../../../src/tools/simulator/defaults.ts'
import type { Simulator } from '../../../../src/tools/simulator/simulator.ts'
import { exchange, formatFailure, startSimulator } from '../exchange.ts'

const OTHER_GUID = '99999999-9999-4999-8999-999999999999'

function findOrders({ directory }: Simulator) {
  const application = directory.applications.find(({ name }) => name === 'orders')
  const [credential] = application?.federatedCredentials ?? []
  if (!application || !credential) throw new Error('orders is in the default directory')
  return { application, credential }
}

const setApplication =
  (changes: Readonly<Record<string, unknown>>) =>
  (simulator: Simulator): void =>
    void Object.assign(findOrders(simulator).application, changes)
const keep = (): void => undefined

describe('an exchange', () => {
  test.each<[string, (simulator: Simulator) => void, string | undefined, string, RegExp]>([
    ['unknown application', keep, OTHER_GUID, '400 unauthorized_client 700016', /'Contoso'/],
    ['object id', keep, BILLING.objectId, '400 unauthorized_client 700016', /not found/],
    [
      'application of another tenant',
      setApplication({ tenantId: OTHER_GUID }),
      undefined,
      '400 unauthorized_client 700016',
      /wrong tenant/,
    ],
    [
      'no credential',
      keep,
      REPORTS.clientId,
      '401 invalid_client 70025',
      /Client application has no conf/,
    ],
    ['other subject', keep, BILLING.clientId, '401 invalid_client 700213', /shop:orders/],
    [
      'issuer with a trailing space',
      (simulator) => void (findOrders(simulator).credential.issuer += ' '),
      undefined,
      '401 invalid_client 700211',
      /issuer/,
    ],
  ])('fails with its AADSTS code: %s', async (_, change, clientId, failure, text) => {
    await using simulator = await startSimulator()
    change(simulator)
    const outcome = await exchange(
      simulator,
      clientId === undefined ? {} : { form: { client_id: clientId } },
    )
    expect(formatFailure(outcome)).toBe(failure)
    expect(outcome.body['error_description']).toMatch(text)
  })

  test('fails with the claims of a conditional-access block', async () => {
    await using simulator = await startSimulator()
    const policy = 'cccccccc-cccc-4ccc-8ccc-cccccccccccc'
    findOrders(simulator).application.blockedByPolicy = policy
    const outcome = await exchange(simulator)
    expect(formatFailure(outcome)).toBe('400 invalid_grant 53003')
    expect(outcome.body['suberror']).toBe('message_only')
    expect(JSON.parse(String(outcome.body['claims']))).toEqual({
      access_token: { capolids: { essential: true, values: [policy] } },
    })
  })

  test('succeeds as soon as a second federated credential matches', async () => {
    await using simulator = await startSimulator()
    await simulator.rotateToken({ serviceAccount: 'orders-v2' })
    expect(formatFailure(await exchange(simulator))).toBe('401 invalid_client 700213')
    const { application, credential } = findOrders(simulator)
    application.federatedCredentials.push({
      ...credential,
      name: 'second',
      subject: 'system:serviceaccount:shop:orders-v2',
    })
    expect((await exchange(simulator)).status).toBe(200)
  })
})
