import { expect, test } from 'vitest'
import {
  createIdentityResolver,
  type IdentityDirectory,
  type Selector,
} from '../../src/broker/identities.ts'
import { BILLING, ORDERS } from '../fixtures/parts.ts'
import { thrown, thrownCode } from './dialects/thrown-code.ts'

const UNKNOWN = '99999999-9999-4999-8999-999999999999'
const both: IdentityDirectory = { identities: [ORDERS, BILLING], defaultIdentity: BILLING }

/** Returns the name of the selected identity, or the error code. */
function resolve(directory: IdentityDirectory, selector: Selector): string | undefined {
  let name: string | undefined
  const code = thrownCode(() => ({ name } = createIdentityResolver(directory)(selector)))
  return code ?? name
}

test.each<[Selector, string]>([
  [{ by: 'default' }, 'billing'],
  [{ by: 'clientId', value: ORDERS.clientId }, 'orders'],
  [{ by: 'objectId', value: '33333333-3333-4333-8333-333333333333' }, 'orders'],
  [{ by: 'resourceId', value: '/Subscriptions/S/Orders' }, 'orders'],
  [{ by: 'clientId', value: UNKNOWN }, 'identity_not_found'],
  [{ by: 'objectId', value: UNKNOWN }, 'identity_not_found'],
  [{ by: 'resourceId', value: '/subscriptions/s/other' }, 'identity_not_found'],
  // A client id does not select an identity as an object id.
  [{ by: 'objectId', value: ORDERS.clientId }, 'identity_not_found'],
])('the resolver answers %j with %s', (selector, expected) => {
  expect(resolve(both, selector)).toBe(expected)
})

test('the resolver rejects a request without a selector if there are several identities or none', () => {
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

test.each([undefined, UNKNOWN])(
  'a client id that is sent as an object id is named, with the object id %s',
  (objectId) => {
    const resolver = createIdentityResolver({
      identities: [{ ...ORDERS, objectId }],
      unlisted: () => BILLING,
    })
    const error = thrown(() => resolver({ by: 'objectId', value: ORDERS.clientId.toUpperCase() }))
    expect(error.code).toBe('identity_not_found')
    expect(error.message).toContain(`Fix: send client_id=${ORDERS.clientId}. `)
    expect(error.message).toContain(objectId ?? 'set its objectId')
  },
)

test('the text of a rejection is bounded and printable, whatever the request and the configuration contain', () => {
  const identities = Array.from({ length: 500 }, (_, index) => ({
    ...ORDERS,
    name: `app-${index}`,
  }))
  const value = `/subscriptions/\u001b[31m\n<script>'${'/x'.repeat(2000)}`
  const resolver = createIdentityResolver({ identities })
  const { message } = thrown(() => resolver({ by: 'resourceId', value }))
  expect(message).toMatch(/^[\x20-\x7e]+$/)
  expect(message).not.toContain('<')
  expect(message).toContain(', and 495 more. Fix:')
  expect(message.length).toBeLessThan(800)
})
