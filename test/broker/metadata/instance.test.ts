import { describe, expect, test } from 'vitest'
import { completeInstance } from '../../../src/broker/metadata/instance.ts'

const CLOUD = 'AzureChinaCloud'

describe('the instance document', () => {
  test('is absent while only the cloud is known', () => {
    expect(completeInstance(undefined, CLOUD)).toBeUndefined()
  })

  test('has the cloud of the identity unless it names one', () => {
    const compute = { location: 'chinanorth3' }
    expect(completeInstance({ compute, network: {} }, CLOUD)).toEqual({
      compute: { azEnvironment: CLOUD, location: 'chinanorth3' },
      network: {},
    })
    const named = { compute: { azEnvironment: '' } }
    expect(completeInstance(named, CLOUD)).toEqual(named)
  })

  test.each([[{ network: {} }], [{ compute: 'x' }]])('is as it was written: %j', (document) => {
    expect(completeInstance(document, CLOUD)).toBe(document)
  })
})
