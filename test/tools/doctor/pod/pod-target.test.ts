import { expect, test } from 'vitest'
import { parsePodTarget } from '../../../../src/tools/doctor/pod/pod-target.ts'

test.each([
  ['orders', {}],
  ['shop/orders', { namespace: 'shop' }],
  ['pod/orders', {}],
  ['sts/orders', { kind: 'sts' }],
  ['shop/deployment/orders', { namespace: 'shop', kind: 'deployment' }],
  ['Deployment/orders', { kind: 'Deployment' }],
  ['deployments.apps/orders', { kind: 'deployments.apps' }],
  ['shop/rollouts.argoproj.io/orders', { namespace: 'shop', kind: 'rollouts.argoproj.io' }],
])('parses %s as kubectl does', (text, expected) => {
  const none = { namespace: undefined, kind: undefined }
  expect(parsePodTarget(text)).toEqual({ ...none, ...expected, name: 'orders' })
})

test.each(['', 'a/b/c', 'deploy/', '../orders', 'deploy/a/b'])('rejects %j', (text) => {
  expect(parsePodTarget(text)).toBeUndefined()
})
