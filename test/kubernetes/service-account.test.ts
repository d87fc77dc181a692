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

const read = (name: string, limits = {}) =>
  readServiceAccount(connectToApiServer(calls.signal), { namespace: 'n', name, ...limits })

test('returns the annotations', async () => {
  await using _ = await startApiServer()
  expect(await read('app')).toEqual({ a: 'b' })
})

test('returns undefined for 404', async () => {
  await using _ = await startApiServer()
  expect(await read('ghost')).toBeUndefined()
})

test('throws if the answer is larger than 1 MiB', async () => {
  const account = { metadata: {}, secrets: 'x'.repeat(1_100_000) }
  await using api = await startApiServer({
    [ACCOUNT]: (response) => answer(response, 200, account),
  })
  await expect(read('app')).rejects.toThrow('larger than 1048576 bytes')
  expect(api.calls(ACCOUNT)).toBe(1)
})

test('throws after its time limit', async () => {
  await using _ = await startApiServer({ [ACCOUNT]: () => {} })
  await expect(read('app', { timeoutMs: 50 })).rejects.toThrow('did not answer in time')
})
