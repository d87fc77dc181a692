/** Names of ConfigMaps, Secrets and their keys, by the rules of Kubernetes. */
import { describe, expect, test } from 'vitest'
import { configMapName, objectKey } from '../../../src/cluster/injector/settings.ts'

const parseName = (text: string) => configMapName.safeParse(text).data
const parseKey = (text: string) => objectKey('ConfigMap', 'ca.crt').safeParse(text).data
const LONGEST = 'a'.repeat(253)

test.each(['a', 'corporate-ca', 'kube-root-ca.crt', '1.2-3', LONGEST])('%s is a name', (text) => {
  expect(parseName(text)).toBe(text)
})

test.each(['', '-a', 'a-', 'A', 'a_b', 'a..b', '.a', 'a b', 'a/b', `${LONGEST}a`, 'ä'])(
  '%j is no name',
  (text) => {
    expect(parseName(text)).toBeUndefined()
  },
)

describe('NAME or NAME/KEY', () => {
  test.each([
    ['ca', { kind: 'ConfigMap', name: 'ca', key: 'ca.crt' }],
    ['ca/Bundle_1.pem', { kind: 'ConfigMap', name: 'ca', key: 'Bundle_1.pem' }],
    ['ca/.pem', { kind: 'ConfigMap', name: 'ca', key: '.pem' }],
  ])('%s is parsed', (text, found) => {
    expect(parseKey(text)).toEqual(found)
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
    expect(parseKey(text)).toBeUndefined()
  })
})

test('a long name without an end is rejected at once', () => {
  expect(parseName(`${'a-'.repeat(50_000)}!`)).toBeUndefined()
})
