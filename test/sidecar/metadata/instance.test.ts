import { expect, test } from 'vitest'
import {
  createDefaultInstance,
  findInstancePart,
  type InstanceDocument,
  withInstanceDefaults,
} from '../../../src/sidecar/metadata/instance.ts'

const document: InstanceDocument = {
  compute: {
    zone: '1',
    isHost: false,
    count: 2,
    location: '',
    name: '',
    none: null,
    tagsList: [{ name: 'a', value: 'b' }],
  },
  network: { interface: [{ macAddress: '0D' }] },
}

const find = (path: string, format?: string) => findInstancePart(document, path.split('/'), format)

test.each([
  ['compute/zone', '1'],
  ['compute/isHost', 'false'],
  ['compute/count', '2'],
  ['compute/tagsList', '0/'],
  ['compute/tagsList/0', 'name\nvalue'],
  ['network/interface/0/macAddress', '0D'],
  ['NETWORK/Interface/0', 'macAddress'],
])('returns %s as text', (path, expected) => {
  expect(find(path, 'text')).toMatchObject({ status: 200, body: expected })
})

test('returns a branch as JSON', () => {
  expect(find('network').body).toBe('{"interface":[{"macAddress":"0D"}]}')
})

test.each(['compute/tagsList/1', 'compute/tagsList/length', 'compute/__proto__', 'compute/zone/0'])(
  'does not find %s',
  (path) => {
    expect(() => find(path, 'text')).toThrow('does not exist')
  },
)

test.each(['compute/name', 'compute/none'])('returns the empty leaf %s as an empty 200', (path) => {
  expect(find(path, 'text')).toMatchObject({ status: 200, body: '' })
})

test('returns an empty location as 404, without a body for format=text', () => {
  expect(find('compute/location', 'text')).toMatchObject({ status: 404, body: '' })
  expect(find('Compute/Location', 'text')).toMatchObject({ status: 404, body: '' })
  expect(() => find('compute/location')).toThrow('does not exist')
})

test('rejects a leaf as JSON', () => {
  expect(() => find('compute/zone')).toThrow('A single value needs format=text')
})

test('adds default values only where the document has none', () => {
  const defaults = { location: 'westeurope', zone: '3', subscriptionId: undefined }
  const { compute } = withInstanceDefaults(document, defaults)
  expect(compute).toMatchObject({ location: 'westeurope', zone: '1', name: '' })
  expect(compute).not.toHaveProperty('subscriptionId')
  expect(withInstanceDefaults({}, defaults)).toEqual({
    compute: { location: 'westeurope', zone: '3' },
  })
  expect(withInstanceDefaults(document, {})).toBe(document)
})

test('the document of a pod has the name of its cloud', () => {
  const instance = createDefaultInstance('AzureChinaCloud')
  const { body } = findInstancePart(instance, ['compute', 'azEnvironment'], 'text')
  expect(body).toBe('AzureChinaCloud')
})
