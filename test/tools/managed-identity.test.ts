import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { createCredentialName, namesFileForAz } from '../../src/tools/managed-identity.ts'

/** The names that Azure allows for a federated credential. */
const CREDENTIAL_NAME = /^[A-Za-z0-9][\w-]{2,119}$/

const subject = (namespace: string, name: string) => `system:serviceaccount:${namespace}:${name}`

test('gives different names to clusters, and to subjects that look alike', () => {
  const names = [
    createCredentialName('https://one.example/', subject('shop', 'orders')),
    createCredentialName('https://two.example/', subject('shop', 'orders')),
    createCredentialName('https://one.example/', subject('shop-orders', 'a')),
    createCredentialName('https://one.example/', subject('shop', 'orders-a')),
    createCredentialName('https://one.example/', subject('shop', 'orders.a')),
  ]
  expect(new Set(names).size).toBe(names.length)
  expect(names[0]).toMatch(/^wimds-shop-orders-[0-9a-f]{8}$/)
})

test('returns only names that Azure allows', () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), fc.string(), (issuer, namespace, name) => {
      expect(createCredentialName(issuer, subject(namespace, name))).toMatch(CREDENTIAL_NAME)
    }),
  )
  expect(
    createCredentialName('https://one.example/', subject('n'.repeat(63), 'a.'.repeat(126))),
  ).toMatch(CREDENTIAL_NAME)
})

test.each([
  ['@/etc/passwd', true],
  ['https://x/?a=@/etc/passwd', true],
  ['a=@b=c', true],
  ['me@example.com', false],
  ['a=b=@c', false],
])('knows whether the Azure CLI reads a file for %s: %s', (argument, isFile) => {
  expect(namesFileForAz(argument)).toBe(isFile)
})
