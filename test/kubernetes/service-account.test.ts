/** Reads of the annotations of a ServiceAccount. */
import { afterEach, expect, test } from 'vitest'
import { connectToApiServer } from '../../src/kubernetes/api-client.ts'
import { readServiceAccount } from '../../src/kubernetes/service-account.ts'
import { ACCOUNT, answer, startApiServer } from '../fixtures/api-server.ts'

let calls = new AbortController()
afterEach(() => {
  calls.abort()
  calls = new AbortController()
})

const read = (name: string) =>
  readServiceAccount(connectToApiServer(calls.signal), { namespace: 'n', name })

const CLIENT_ID = 'azure.workload.identity/client-id'
const TENANT_ID = 'azure.workload.identity/tenant-id'

test.each([[{ [CLIENT_ID]: 'a', [TENANT_ID]: 'b' }], [{ [CLIENT_ID]: 'x'.repeat(256) }], [{}]])(
  'returns the two annotations of an identity, and no other: %#',
  async (annotations) => {
    const account = { metadata: { annotations: { ...annotations, large: 'x' } } }
    await using _ = await startApiServer({
      [ACCOUNT]: (response) => answer(response, 200, account),
    })
    expect(await read('app')).toEqual({ annotations })
  },
)

test('says that the account does not exist for 404', async () => {
  await using _ = await startApiServer()
  expect(await read('ghost')).toEqual({ problem: 'does not exist. Fix: create it' })
})

test.each([CLIENT_ID, TENANT_ID])('says that the annotation %s is too long', async (name) => {
  const account = { metadata: { annotations: { [name]: 'x'.repeat(257) } } }
  await using _ = await startApiServer({
    [ACCOUNT]: (response) => answer(response, 200, account),
  })
  expect(await read('app')).toEqual({
    problem: `has an annotation ${name} of more than 256 characters. Fix: correct it`,
  })
})

test('throws if the answer is larger than 1 MiB', async () => {
  const account = { metadata: {}, secrets: 'x'.repeat(1_100_000) }
  await using api = await startApiServer({
    [ACCOUNT]: (response) => answer(response, 200, account),
  })
  await expect(read('app')).rejects.toThrow('larger than 1048576 bytes')
  expect(api.calls(ACCOUNT)).toBe(1)
})
