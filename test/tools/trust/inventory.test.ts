import { expect, test } from 'vitest'
import { parseExistingLists, parseIdentityList } from '../../../src/tools/trust/inventory.ts'
import { AUDIENCE, BILLING, ISSUER, ORDERS, ORDERS_ID, SUBSCRIPTION, TENANT } from './fixtures.ts'

/** An element of `az identity list`, with the members that the Azure CLI prints. */
const MANAGED = {
  clientId: ORDERS,
  id: `/subscriptions/${SUBSCRIPTION}/resourcegroups/shop/providers/Microsoft.ManagedIdentity/userAssignedIdentities/orders`,
  isolationScope: null,
  location: 'westeurope',
  name: 'orders',
  principalId: '33333333-3333-4333-8333-333333333333',
  resourceGroup: 'shop',
  systemData: null,
  tags: {},
  tenantId: TENANT,
  type: 'Microsoft.ManagedIdentity/userAssignedIdentities',
}

const parse = <T>(
  parser: (file: { name: string; source: string }, problems: string[]) => T,
  content: unknown,
  name = 'list.json',
) => {
  const problems: string[] = []
  const result = parser({ name, source: JSON.stringify(content) }, problems)
  return { result, problems }
}

test('reads az identity list and az ad app list', () => {
  expect(parse(parseIdentityList, [MANAGED, { appId: BILLING, displayName: 'billing' }])).toEqual({
    result: [
      {
        clientId: ORDERS,
        kind: 'managed-identity',
        id: ORDERS_ID,
      },
      { clientId: BILLING, kind: 'application' },
    ],
    problems: [],
  })
})

test.each([
  [{ not: 'a list' }, 'is not the output of az identity list'],
  [[{ clientId: 'x' }], 'element 0 has neither the clientId and id of a managed identity'],
  [[MANAGED, { name: 'x' }], 'element 1 has neither .* nor the appId of an application'],
  [[{ ...MANAGED, id: '/x' }], 'element 0 has neither '],
])('rejects another list of identities: %j', (content, problem) => {
  const { problems } = parse(parseIdentityList, content)
  expect(problems).toEqual([expect.stringMatching(`^list\\.json: ${problem}.*Fix: `)])
})

const credential = (name: string, parent?: string) => ({
  ...(parent !== undefined && { id: `${parent}/federatedIdentityCredentials/${name}` }),
  name,
  issuer: ISSUER,
  subject: 'system:serviceaccount:shop:orders',
  audiences: [AUDIENCE],
})
const parsed = (name: string) => credential(name)

test('reads the credentials of several identities from one list', () => {
  const billing = MANAGED.id.replace(/orders$/, 'billing')
  const list = [credential('a', MANAGED.id), credential('b', billing), credential('c', MANAGED.id)]
  expect(parse(parseExistingLists, list)).toEqual({
    result: [
      { source: 'list.json', identity: ORDERS_ID, credentials: [parsed('a'), parsed('c')] },
      {
        source: 'list.json',
        identity: { ...ORDERS_ID, name: 'billing' },
        credentials: [parsed('b')],
      },
    ],
    problems: [],
  })
})

test('rejects another document', () => {
  const { result, problems } = parse(parseExistingLists, [MANAGED])
  expect(result).toEqual([])
  expect(problems).toEqual([expect.stringContaining('federated-credential list')])
})
