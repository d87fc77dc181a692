import { expect, test } from 'vitest'
import { toLocalHost } from '../../src/lib/hosts.ts'

test.each([
  ['0.0.0.0', '127.0.0.1'],
  ['::', '127.0.0.1'],
  ['::1', '::1'],
  ['127.0.0.2', '127.0.0.2'],
  ['localhost', 'localhost'],
])('what listens on %s is reached at %s, with IPv6 or without', (host, expected) => {
  expect(toLocalHost(host)).toBe(expected)
})
