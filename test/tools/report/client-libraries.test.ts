import { expect, test } from 'vitest'
import { CLIENT_LIBRARIES } from '../../../src/broker/telemetry/clients.ts'
import {
  findLibrary,
  supportsWorkloadIdentity,
} from '../../../src/tools/report/client-libraries.ts'

test.each([
  ['python-azure-identity', '1.12.9', false],
  ['python-azure-identity', '1.13.0', true],
  ['python-azure-identity', '1.13', true],
  ['python-azure-identity', '1.13.0b1', true],
  ['python-azure-identity', '', undefined],
  ['rclone', '1.63.0', true],
  ['rust-object-store', '0.14.2', undefined],
  ['dotnet-azure-core', '1.62.0', true],
  ['dotnet-azure-core', '1.44.1', undefined],
])('says whether %s %j supports workload identity: %s', (id, version, isSupported) => {
  expect(supportsWorkloadIdentity(findLibrary(id), version)).toBe(isSupported)
})

test('has advice for each library that the sidecar recognizes', () => {
  const { advice } = findLibrary('other')
  const ids = [...CLIENT_LIBRARIES.map(([id]) => id), 'none']
  expect(ids.filter((id) => findLibrary(id).advice === advice)).toEqual([])
})
