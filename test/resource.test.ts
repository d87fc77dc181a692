import { expect, test } from 'vitest'
import { normalizeResource } from '../src/resource.ts'

test.each([
  ['https://vault.azure.net', 'https://vault.azure.net'],
  ['https://Vault.Azure.net/', 'https://vault.azure.net'],
  ['https://vault.azure.net//', 'https://vault.azure.net'],
  ['https://vault.azure.net/.default', 'https://vault.azure.net'],
  ['https://vault.azure.net//.DEFAULT', 'https://vault.azure.net'],
  ['api://a//b/', 'api://a//b'],
  ['//', ''],
])('compares %s as %s', (resource, comparable) => {
  expect(normalizeResource(resource)).toBe(comparable)
})

test('compares a row of slashes in time that grows with its length alone', () => {
  const resource = `${'/'.repeat(200_000)}x`
  const start = performance.now()
  expect(normalizeResource(resource)).toBe(resource)
  expect(performance.now() - start).toBeLessThan(1000)
})
