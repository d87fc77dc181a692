import { expect, test } from 'vitest'
import {
  createIdentityResolver,
  type IdentityDirectory,
  requireAllowedResource,
  type Selector,
} from '../../src/broker/identities.ts'
import { BILLING, ORDERS } from '../fixtures/parts.ts'
import { thrown } from './dialects/thrown-code.ts'

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

/** Returns the message of the rejection. */
const rejection = (act: () => unknown) => thrown(act).message

const OTHER: Selector = { by: 'clientId', value: UNKNOWN }
const ORDERS_AND_BILLING = `orders (client id ${ORDERS.clientId}), billing (client id ${BILLING.clientId})`

test('a rejection names the request and the configuration', () => {
  expect(rejection(() => createIdentityResolver(both)(OTHER))).toBe(
    `no identity of this sidecar has the client id ${UNKNOWN}; configured: ${ORDERS_AND_BILLING}. Fix: correct the request, or set the client id of the identity in the identities file`,
  )
  const identities = [
    { ...ORDERS, objectId: BILLING.clientId },
    { ...BILLING, objectId: undefined },
  ]
  const byObjectId = createIdentityResolver({ identities })
  expect(rejection(() => byObjectId({ by: 'objectId', value: UNKNOWN }))).toContain(
    `has the object id ${UNKNOWN}; configured: orders (object id ${BILLING.clientId}), billing (no object id). Fix:`,
  )
  const ambiguous = createIdentityResolver({ identities: [ORDERS, BILLING] })
  expect(rejection(() => ambiguous({ by: 'default' }))).toBe(
    `2 identities are configured and none is the default: ${ORDERS_AND_BILLING}. Fix: send client_id, or mark one as default`,
  )
  const limited = { ...ORDERS, resources: ['https://vault.azure.net', 'https://storage.azure.com'] }
  expect(rejection(() => requireAllowedResource(limited, 'https://graph.microsoft.com/'))).toBe(
    'the identity orders may not request tokens for https://graph.microsoft.com/; its resources are https://vault.azure.net, https://storage.azure.com. Fix: correct the request, or add the resource to the identity in the identities file',
  )
})

test.each([
  [undefined, 'set its objectId in the identities file, and write that there'],
  [UNKNOWN, `write ${UNKNOWN} there`],
])(
  'a client id that is sent as an object id is named, with what to write (%s)',
  (objectId, fix) => {
    const resolver = createIdentityResolver({
      identities: [{ ...ORDERS, objectId }],
      unlisted: () => BILLING,
    })
    const error = thrown(() => resolver({ by: 'objectId', value: ORDERS.clientId.toUpperCase() }))
    expect(error).toMatchObject({ code: 'identity_not_found' })
    expect(error.message).toBe(
      `${ORDERS.clientId} is the client id of orders, but the request names it as an object id. Fix: send client_id=${ORDERS.clientId}. In a connection string of Microsoft.Data.SqlClient 2, whose User Id is an object id, ${fix}, or leave User Id out for the default identity`,
    )
  },
)

test('a rejection is bounded and printable, whatever was asked for and is configured', () => {
  const identities = Array.from({ length: 500 }, (_, index) => ({
    ...ORDERS,
    name: `app-${index}`,
  }))
  const value = `/subscriptions/\u001b[31m\n<script>'${'/x'.repeat(2000)}`
  const message = rejection(() =>
    createIdentityResolver({ identities })({ by: 'resourceId', value }),
  )
  expect(message).toMatch(/^[\x20-\x7e]+$/)
  expect(message).not.toContain('<')
  expect(message).toContain('app-4 (resource id')
  expect(message).toContain(', and 495 more. Fix:')
  expect(message.length).toBeLessThan(800)
})
