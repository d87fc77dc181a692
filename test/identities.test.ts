import { expect, test } from 'vitest'
import { createIdentityResolver, type IdentityDirectory, type Selector } from '../src/identities.ts'
import { BILLING, ORDERS } from './fixtures/parts.ts'

const UNKNOWN = '99999999-9999-4999-8999-999999999999'
const both: IdentityDirectory = { identities: [ORDERS, BILLING], defaultIdentity: BILLING }

/** Returns the name of the selected identity, or the error code. */
function resolve(directory: IdentityDirectory, selector: Selector): string {
  try {
    return createIdentityResolver(directory)(selector).name
  } catch (error) {
    if (error instanceof Error && 'code' in error) return String(error.code)
    throw error
  }
}

test.each<[Selector, string]>([
  [{ by: 'default' }, 'billing'],
  [{ by: 'clientId', value: ORDERS.clientId }, 'orders'],
  [{ by: 'objectId', value: '33333333-3333-4333-8333-333333333333' }, 'orders'],
  [{ by: 'resourceId', value: '/Subscriptions/S/Orders' }, 'orders'],
  [{ by: 'clientId', value: UNKNOWN }, 'identity_not_found'],
  [{ by: 'objectId', value: UNKNOWN }, 'identity_not_found'],
  [{ by: 'resourceId', value: '/subscriptions/s/other' }, 'identity_not_found'],
  // An id of one kind is not one of another.
  [{ by: 'objectId', value: ORDERS.clientId }, 'identity_not_found'],
])('the resolver answers %j with %s', (selector, expected) => {
  expect(resolve(both, selector)).toBe(expected)
})

test('the resolver ignores the case of ids', () => {
  const identity = { ...ORDERS, clientId: 'abcdefab-cdef-4bcd-8fab-cdefabcdefab' }
  const selector = { by: 'clientId', value: identity.clientId.toUpperCase() } as const
  expect(resolve({ identities: [identity] }, selector)).toBe('orders')
})

test('the resolver returns a single identity without a selector', () => {
  expect(resolve({ identities: [ORDERS] }, { by: 'default' })).toBe('orders')
})

test('the resolver rejects a request without a selector for several identities, or none', () => {
  expect(resolve({ identities: [ORDERS, BILLING] }, { by: 'default' })).toBe('identity_ambiguous')
  expect(resolve({ identities: [] }, { by: 'default' })).toBe('identity_not_found')
})

test('the resolver creates the identity of an unlisted client id where that is allowed', () => {
  const directory: IdentityDirectory = {
    ...both,
    unlisted: (clientId) => ({ ...ORDERS, name: `unlisted ${clientId}`, clientId }),
  }
  const upper = UNKNOWN.toUpperCase()
  expect(resolve(directory, { by: 'clientId', value: upper })).toBe(`unlisted ${UNKNOWN}`)
  expect(resolve(directory, { by: 'clientId', value: ORDERS.clientId })).toBe('orders')
  expect(resolve(directory, { by: 'objectId', value: UNKNOWN })).toBe('identity_not_found')
})
