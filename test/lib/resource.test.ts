import { expect, test } from 'vitest'
import { findServiceResource, normalizeResource } from '../../src/lib/resource.ts'

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

test.each([
  ['https://billing.vault.azure.net', 'https://vault.azure.net'],
  ['https://Billing.Vault.azure.net/secrets/x', 'https://vault.azure.net'],
  ['https://orders.database.windows.net:1433', 'https://database.windows.net'],
  ['https://vault.azure.net', undefined],
  ['https://management.database.windows.net', undefined],
  ['https://account.blob.core.windows.net', undefined],
  ['https://a.vault.azure.net.example', undefined],
])('findServiceResource(%s) is %s', (resource, service) => {
  expect(findServiceResource(resource)).toBe(service)
})
