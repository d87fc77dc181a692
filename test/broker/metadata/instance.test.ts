import { expect, test } from 'vitest'
import {
  createDefaultInstance,
  findInstancePart,
  withInstanceDefaults,
} from '../../../src/broker/metadata/instance.ts'

test('adds default values only where the document has none', () => {
  const document = { compute: { zone: '1', name: '' }, network: {} }
  const defaults = { location: 'westeurope', zone: '3', subscriptionId: undefined }
  const { compute } = withInstanceDefaults(document, defaults)
  expect(compute).toEqual({ location: 'westeurope', zone: '1', name: '' })
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
