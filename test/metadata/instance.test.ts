import { expect, test } from 'vitest'
import { findInstancePart, type InstanceDocument } from '../../src/metadata/instance.ts'

const document: InstanceDocument = {
  compute: {
    zone: '1',
    isHost: false,
    count: 2,
    tagsList: [{ name: 'a', value: 'b' }],
    none: null,
  },
  network: { interface: [{ macAddress: '0D' }] },
}

test.each([
  ['compute/zone', '1'],
  ['compute/isHost', 'false'],
  ['compute/count', '2'],
  ['compute/tagsList', '0/'],
  ['compute/tagsList/0', 'name\nvalue'],
  ['network/interface/0/macAddress', '0D'],
  ['NETWORK/Interface/0', 'macAddress'],
])('walks to %s in a document of any depth', (path, expected) => {
  expect(findInstancePart(document, path.split('/'), 'text').body).toBe(expected)
})

test('gives a branch as it stands in the document', () => {
  expect(findInstancePart(document, ['network'], undefined).body).toBe(
    '{"interface":[{"macAddress":"0D"}]}',
  )
})

test.each(['compute/tagsList/1', 'compute/tagsList/length', 'compute/__proto__', 'compute/zone/0'])(
  'does not find %s',
  (path) => {
    expect(() => findInstancePart(document, path.split('/'), 'text')).toThrow('does not exist')
  },
)
