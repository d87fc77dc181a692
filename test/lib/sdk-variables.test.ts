import { expect, test } from 'vitest'
import {
  ENDPOINT_VARIABLES,
  UNSUPPORTED_PROTOCOL_VARIABLES,
  VARIABLE_SET_NAMES,
  VARIABLE_SETS,
} from '../../src/lib/sdk-variables.ts'

test('every variable of a set or an unsupported protocol is an endpoint variable', () => {
  const endpoint = { origin: 'o', identityHeader: 'h', clientId: 'c' }
  const names = VARIABLE_SET_NAMES.flatMap((set) => Object.keys(VARIABLE_SETS[set](endpoint)))
  const all = [...names, ...Object.keys(UNSUPPORTED_PROTOCOL_VARIABLES)]
  expect(new Set(ENDPOINT_VARIABLES)).toEqual(new Set(all))
})
