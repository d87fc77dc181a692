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

/** Reads the account from an API server that has it; without an account it has none. */
async function read(account?: object) {
  await using _ = await startApiServer({
    [ACCOUNT]: (response) => answer(response, account === undefined ? 404 : 200, account),
  })
  return await readServiceAccount(connectToApiServer(calls.signal), { namespace: 'n', name: 'app' })
}

const CLIENT_ID = 'azure.workload.identity/client-id'
const TENANT_ID = 'azure.workload.identity/tenant-id'

test.each([[{ [CLIENT_ID]: 'x'.repeat(256), [TENANT_ID]: 'b' }], [{}]])(
  'returns the two annotations of an identity, and no other: %#',
  async (annotations) => {
    const metadata = { annotations: { ...annotations, large: 'x' } }
    expect(await read({ metadata })).toEqual({ annotations })
  },
)

test('says that the account does not exist, or that an annotation is too long', async () => {
  expect(await read()).toEqual({ problem: 'does not exist. Fix: create it' })
  expect(await read({ metadata: { annotations: { [TENANT_ID]: 'x'.repeat(257) } } })).toEqual({
    problem: `has an annotation ${TENANT_ID} of more than 256 characters. Fix: correct it`,
  })
})

test('throws if the answer is larger than 1 MiB', async () => {
  const account = { metadata: {}, secrets: 'x'.repeat(1_100_000) }
  await expect(read(account)).rejects.toThrow('larger than 1048576 bytes')
})
