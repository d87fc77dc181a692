import { expect, test } from 'vitest'
import { isLoopback, isLocalHost } from '../../src/lib/hosts.ts'

test.each(['127.0.0.1', '127.1', '::1', '::ffff:7f00:1', 'LOCALHOST', '169.254.169.254'])(
  'recognizes %s as local',
  (host) => {
    expect(isLocalHost(host)).toBe(true)
  },
)

test.each(['0.0.0.0', '10.0.0.1', '::ffff:a00:1', '169.254.169.253', 'a.localhost'])(
  'recognizes %s as reachable from the network',
  (host) => {
    expect(isLocalHost(host)).toBe(false)
  },
)

test.each([
  ['127.0.0.6', true],
  ['::ffff:127.0.0.1', true],
  ['::ffff:a9fe:101', false],
  ['localhost', false],
])('classifies %s as loopback: %s', (address, loopback) => {
  expect(isLoopback(address)).toBe(loopback)
})
