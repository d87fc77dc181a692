import { expect, test } from 'vitest'
import { normalizeResource } from '../../src/lib/resource.ts'

test.each([
  ['https://vault.azure.net', 'https://vault.azure.net'],
  ['https://Vault.Azure.net/', 'https://vault.azure.net'],
  ['https://vault.azure.net//', 'https://vault.azure.net'],
  ['https://vault.azure.net/.default', 'https://vault.azure.net'],
  ['https://vault.azure.net//.DEFAULT', 'https://vault.azure.net'],
  ['api://a//b/', 'api://a//b'],
  ['//', ''],
])('normalizeResource(%s) is %s', (resource, normalized) => {
  expect(normalizeResource(resource)).toBe(normalized)
})

test('normalizeResource takes linear time for a row of slashes', () => {
  // Quadratic time would exceed the time limit of a test many times over.
  const resource = `${'/'.repeat(1_000_000)}x`
  expect(normalizeResource(resource)).toBe(resource)
})
