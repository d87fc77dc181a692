import { expect, test } from 'vitest'
import { toLocalHost } from '../../src/tools/local-host.ts'

test.each([
  ['0.0.0.0', '127.0.0.1'],
  ['::', '127.0.0.1'],
  ['::1', '::1'],
  ['127.0.0.2', '127.0.0.2'],
  ['localhost', 'localhost'],
])('reaches a listener on %s at %s', (host, expected) => {
  expect(toLocalHost(host)).toBe(expected)
})
