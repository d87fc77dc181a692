/** Keys of ConfigMaps and Secrets, by the rules of Kubernetes. */
import { expect, test } from 'vitest'
import { objectKey } from '../../../src/injection/injector/injection-settings.ts'

const parseKey = (text: string) => objectKey('ConfigMap', 'ca.crt').safeParse(text).data
const LONGEST = 'a'.repeat(253)

test.each([
  ['ca', 'ca', 'ca.crt'],
  ['ca/Bundle_1.pem', 'ca', 'Bundle_1.pem'],
  ['ca/.pem', 'ca', '.pem'],
])('%s is NAME or NAME/KEY', (text, name, key) => {
  expect(parseKey(text)).toEqual({ kind: 'ConfigMap', name, key })
})

test.each(['', '/', 'ca/', '/key', 'ca/..data', 'ca/.', 'ca/a b', 'a/b/c', `ca/${LONGEST}a`])(
  '%j is neither NAME nor NAME/KEY',
  (text) => {
    expect(parseKey(text)).toBeUndefined()
  },
)
