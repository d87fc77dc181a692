import { describe, expect, test } from 'vitest'
import { createInstance } from '../../../src/broker/metadata/instance.ts'

const NOTHING = {
  azEnvironment: undefined,
  location: undefined,
  zone: undefined,
  subscriptionId: undefined,
  resourceGroupName: undefined,
}
const CLOUD = { ...NOTHING, azEnvironment: 'AzureChinaCloud' }

describe('the instance document', () => {
  test('is absent while only the cloud is known', () => {
    expect(createInstance(undefined, CLOUD)).toBeUndefined()
  })

  test('has the leaves that the settings give, and no others', () => {
    expect(createInstance(undefined, { ...CLOUD, location: 'chinanorth3' })).toEqual({
      compute: { azEnvironment: 'AzureChinaCloud', location: 'chinanorth3' },
    })
  })

  test('has the values of the settings only where the file has none', () => {
    const file = { compute: { zone: '1', name: '', location: '' }, network: {} }
    const place = { ...NOTHING, location: 'westeurope', zone: '3' }
    expect(createInstance(file, place)).toEqual({
      compute: { location: 'westeurope', zone: '1', name: '' },
      network: {},
    })
  })

  test('is the file if the settings give nothing', () => {
    const file = { compute: { name: '' } }
    expect(createInstance(file, CLOUD)).toBe(file)
  })
})
