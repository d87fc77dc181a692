import { expect, test } from 'vitest'
import { parseExistingList, parseIdentityList } from '../../../src/tools/trust/inventory.ts'
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
  ['a document that is no list', { not: 'a list' }],
  ['a client id that is no GUID', [{ ...MANAGED, clientId: 'x' }]],
  ['an element of another kind', [MANAGED, { name: 'x' }]],
  ['another resource id', [{ ...MANAGED, id: '/x' }]],
])('rejects %s as a list of identities', (_, content) => {
  const { result, problems } = parse(parseIdentityList, content)
  expect(result).toEqual([])
  expect(problems).toEqual([
    expect.stringMatching(/^list\.json: is not the output of az identity list .* Fix: /),
  ])
})

const CREDENTIAL = {
  id: `${MANAGED.id}/federatedIdentityCredentials/a`,
  name: 'a',
  issuer: ISSUER,
  subject: 'system:serviceaccount:shop:orders',
  audiences: [AUDIENCE],
}

test('reads the credentials of the identity that the file is named for', () => {
  const { id: _, ...credential } = CREDENTIAL
  const list = [CREDENTIAL, { ...CREDENTIAL, subject: null }]
  expect(parse(parseExistingList, list, `lists/${ORDERS.toUpperCase()}.json`)).toEqual({
    result: [[ORDERS, [credential, { ...credential, subject: '' }]]],
    problems: [],
  })
})

test.each([
  ['another document', [MANAGED], `${ORDERS}.json`, 'az ad app federated-credential list'],
  ['a file without a client id', [CREDENTIAL], 'list.json', 'Fix: name the file CLIENT_ID.json'],
])('rejects %s', (_, list, name, problem) => {
  const { result, problems } = parse(parseExistingList, list, name)
  expect(result).toEqual([])
  expect(problems).toEqual([expect.stringContaining(problem)])
})
