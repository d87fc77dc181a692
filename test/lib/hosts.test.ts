import { expect, test } from 'vitest'
import { isLoopback, isLocalHost } from '../../src/lib/hosts.ts'

test.each([
  ['127.1', true],
  ['::1', true],
  ['::ffff:7f00:1', true],
  ['LOCALHOST', true],
  ['169.254.169.254', true],
  ['10.0.0.1', false],
  ['::ffff:a00:1', false],
  ['a.localhost', false],
])('only this machine can reach %s: %s', (host, expected) => {
  expect(isLocalHost(host)).toBe(expected)
})

test.each([
  ['127.0.0.6', true],
  ['::ffff:127.0.0.1', true],
  ['::ffff:a9fe:101', false],
  ['localhost', false],
])('classifies %s as loopback: %s', (address, loopback) => {
  expect(isLoopback(address)).toBe(loopback)
})
