import { describe, expect, test } from 'vitest'
import { BILLING, REPORTS } from '../../../src/simulator/defaults.ts'
import type { Simulator } from '../../../src/simulator/simulator.ts'
import { startInMemory, exchange, type Attempt } from '../exchange.ts'

const orders = (simulator: Simulator) => {
  const application = simulator.directory.applications.find(({ name }) => name === 'orders')
  const [credential] = application?.federatedCredentials ?? []
  if (!application || !credential) throw new Error('orders is in every default simulator')
  return { application, credential }
}

const vaultResource = (simulator: Simulator) => {
  const resource = simulator.directory.resources.find(({ name }) => name === 'Azure Key Vault')
  if (!resource) throw new Error('the vault is in every default simulator')
  return resource
}

describe('a directory in which something is wrong', () => {
  test.each<[string, (simulator: Simulator) => void, Attempt, number, number, string, RegExp]>([
    [
      'the application does not exist',
      () => undefined,
      { form: { client_id: '99999999-9999-4999-8999-999999999999' } },
      700016,
      400,
      'unauthorized_client',
      /directory 'Contoso'/,
    ],
    [
      'the application is of another tenant',
      (simulator) => {
        orders(simulator).application.tenantId = '99999999-9999-4999-8999-999999999999'
      },
      {},
      700016,
      400,
      'unauthorized_client',
      /wrong tenant/,
    ],
    [
      'the object id is sent for the client id',
      () => undefined,
      { form: { client_id: BILLING.objectId } },
      700016,
      400,
      'unauthorized_client',
      /not found/,
    ],
    [
      'the application is disabled',
      (simulator) => {
        orders(simulator).application.disabled = true
      },
      {},
      7000112,
      400,
      'unauthorized_client',
      /\(orders\) is disabled/,
    ],
    [
      'the service principal is missing',
      (simulator) => {
        orders(simulator).application.servicePrincipal = false
      },
      {},
      7000229,
      401,
      'invalid_client',
      /missing service principal/,
    ],
    [
      'no credential is configured',
      () => undefined,
      { form: { client_id: REPORTS.clientId } },
      70025,
      401,
      'invalid_client',
      /\(reports\) has no configured/,
    ],
    [
      'the credential is for another subject',
      () => undefined,
      { form: { client_id: BILLING.clientId } },
      700213,
      401,
      'invalid_client',
      /shop:orders/,
    ],
    [
      'the credential has a space after the issuer',
      (simulator) => {
        orders(simulator).credential.issuer += ' '
      },
      {},
      700211,
      401,
      'invalid_client',
      /issuer/,
    ],
    [
      'the resource is disabled',
      (simulator) => {
        vaultResource(simulator).disabled = true
      },
      {},
      500014,
      400,
      'invalid_resource',
      /is disabled/,
    ],
    [
      'the resource wants a role',
      (simulator) => {
        vaultResource(simulator).assignmentRequired = true
      },
      {},
      501051,
      400,
      'invalid_grant',
      /not assigned to a role/,
    ],
  ])('%s', async (_, breakIt, attempt, code, status, error, text) => {
    await using simulator = await startInMemory()
    breakIt(simulator)
    const outcome = await exchange(simulator, attempt)
    expect({ ...outcome.body, status: outcome.status }).toMatchObject({
      error,
      error_codes: [code],
      status,
    })
    expect(outcome.body['error_description']).toMatch(text)
  })

  test('a policy blocks the application, with the claims of a conditional-access block', async () => {
    await using simulator = await startInMemory()
    const policy = 'cccccccc-cccc-4ccc-8ccc-cccccccccccc'
    orders(simulator).application.blockedByPolicy = policy
    const { status, body } = await exchange(simulator)
    expect({ ...body, status }).toMatchObject({
      status: 400,
      error: 'invalid_grant',
      error_codes: [53003],
      suberror: 'message_only',
    })
    expect(JSON.parse(String(body['claims']))).toEqual({
      access_token: { capolids: { essential: true, values: [policy] } },
    })
  })

  test('a refusal holds until it is mended, and the second credential counts as the first', async () => {
    await using simulator = await startInMemory()
    await simulator.rotateToken({ serviceAccount: 'orders-v2' })
    expect((await exchange(simulator)).body).toMatchObject({ error_codes: [700213] })
    const { application, credential } = orders(simulator)
    application.federatedCredentials.push({
      ...credential,
      name: 'second',
      subject: 'system:serviceaccount:shop:orders-v2',
    })
    expect((await exchange(simulator)).status).toBe(200)
  })
})
