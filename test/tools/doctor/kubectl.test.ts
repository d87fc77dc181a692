import { expect, test } from 'vitest'
import { createKubectl, extractReason } from '../../../src/tools/doctor/kubectl.ts'
import { fakeKubectl } from '../../fixtures/kubectl.ts'

const { signal } = new AbortController()

test('passes arguments and input on, and returns what it printed', async () => {
  using fake = fakeKubectl([{ call: 'create', stdout: 'pod/x', stderr: 'w', code: 3 }])
  const kubectl = createKubectl({ env: fake.env, signal, context: 'aks' })
  expect(await kubectl(['create', '--filename=-'], '{"a":1}')).toMatchObject({
    code: 3,
    stdout: 'pod/x',
    stderr: 'w',
  })
  expect(await fake.calls()).toEqual(['--context=aks create --filename=-'])
  expect(await fake.inputOf('create')).toBe('{"a":1}')
})

test.each([
  ['Error from server (Forbidden): pods is forbidden\n', 'pods is forbidden'],
  ['Warning: x\nerror: no context\n', 'no context'],
  [
    'E1126 10:10:03.8 744 memcache.go:265] "Unhandled"\nThe connection was refused\n',
    'The connection was refused',
  ],
  ['', 'no reason given'],
])('finds the reason in %j', (stderr, reason) => {
  expect(extractReason(stderr)).toBe(reason)
})
