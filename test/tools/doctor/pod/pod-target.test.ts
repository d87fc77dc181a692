import { expect, test } from 'vitest'
import { parsePodTarget } from '../../../../src/tools/doctor/pod/pod-target.ts'

test.each([
  ['orders', {}],
  ['shop/orders', { namespace: 'shop' }],
  ['pod/orders', {}],
  ['deploy/orders', { kind: 'deploy' }],
  ['sts/orders', { kind: 'sts' }],
  ['shop/deployment/orders', { namespace: 'shop', kind: 'deployment' }],
  ['cronjob/orders', { kind: 'cronjob' }],
  ['rollout/orders', { kind: 'rollout' }],
  ['Deployment/orders', { kind: 'Deployment' }],
  ['deployments.apps/orders', { kind: 'deployments.apps' }],
  ['shop/rollouts.argoproj.io/orders', { namespace: 'shop', kind: 'rollouts.argoproj.io' }],
  ['Pod/orders', {}],
])('parses %s as kubectl does', (text, expected) => {
  const none = { namespace: undefined, kind: undefined }
  expect(parsePodTarget(text)).toEqual({ ...none, ...expected, name: 'orders' })
})

test.each(['', 'a/b/c', 'deploy/', 'shop/svc/orders', '../orders', 'deploy/a/b'])(
  'rejects %j',
  (text) => {
    expect(parsePodTarget(text)).toBeUndefined()
  },
)
