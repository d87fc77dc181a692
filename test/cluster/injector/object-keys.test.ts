/** Names of ConfigMaps, Secrets and their keys, by the rules of Kubernetes. */
import { describe, expect, test } from 'vitest'
import { parseObjectKey, parseObjectName } from '../../../src/cluster/injector/object-keys.ts'

const LONGEST = 'a'.repeat(253)

test.each(['a', 'corporate-ca', 'kube-root-ca.crt', '1.2-3', LONGEST])('%s is a name', (text) => {
  expect(parseObjectName(text)).toBe(text)
})

test.each(['', '-a', 'a-', 'A', 'a_b', 'a..b', '.a', 'a b', 'a/b', `${LONGEST}a`, 'ä'])(
  '%j is no name',
  (text) => {
    expect(parseObjectName(text)).toBeUndefined()
  },
)

describe('NAME or NAME/KEY', () => {
  test.each([
    ['ca', { name: 'ca', key: 'ca.crt' }],
    ['ca/Bundle_1.pem', { name: 'ca', key: 'Bundle_1.pem' }],
    ['ca/.pem', { name: 'ca', key: '.pem' }],
  ])('%s is parsed', (text, found) => {
    expect(parseObjectKey(text, 'ca.crt')).toEqual(found)
  })

  test.each([
    '',
    '/',
    'ca/',
    '/key',
    'ca/..',
    'ca/..data',
    'ca/.',
    'ca/a b',
    'a/b/c',
    `ca/${LONGEST}a`,
  ])('%j is rejected', (text) => {
    expect(parseObjectKey(text, 'ca.crt')).toBeUndefined()
  })
})

test('a long name without an end is rejected at once', () => {
  expect(parseObjectName(`${'a-'.repeat(500_000)}!`)).toBeUndefined()
})
