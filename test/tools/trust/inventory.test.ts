import { expect, test } from 'vitest'
import { parseExistingList, parseIdentityList } from '../../../src/tools/trust/inventory.ts'
import { existingFor, ORDERS, SUBSCRIPTION } from './fixtures.ts'

/** An element of `az identity list`, with more members than are read. */
const MANAGED = {
  clientId: ORDERS,
  id: `/subscriptions/${SUBSCRIPTION}/resourcegroups/shop/providers/Microsoft.ManagedIdentity/userAssignedIdentities/orders`,
  isolationScope: null,
  name: 'orders',
}
const CREDENTIAL = existingFor('system:serviceaccount:shop:orders')

const fileOf = (content: unknown, name = 'list.json') => ({ name, source: JSON.stringify(content) })

test.each([
  ['a client id that is no GUID', [{ ...MANAGED, clientId: 'x' }]],
  ['another resource id', [{ ...MANAGED, id: '/x' }]],
])('rejects %s as a list of identities', (_, content) => {
  const problems: string[] = []
  expect(parseIdentityList(fileOf(content), problems)).toEqual([])
  expect(problems).toHaveLength(1)
})

test('reads the credentials of the identity that the file is named for', () => {
  const problems: string[] = []
  const list = [
    { ...CREDENTIAL, id: 'x' },
    { ...CREDENTIAL, subject: null },
  ]
  const file = fileOf(list, `lists/${ORDERS.toUpperCase()}.json`)
  expect(parseExistingList(file, problems)).toEqual([
    [ORDERS, [CREDENTIAL, { ...CREDENTIAL, subject: '' }]],
  ])
  expect(problems).toEqual([])
})

test.each([
  ['another document', [MANAGED], `${ORDERS}.json`, 'is not the output of'],
  ['a file without a client id', [CREDENTIAL], 'list.json', 'name the file CLIENT_ID.json'],
])('rejects %s', (_, list, name, problem) => {
  const problems: string[] = []
  expect(parseExistingList(fileOf(list, name), problems)).toEqual([])
  expect(problems).toEqual([expect.stringContaining(problem)])
})
