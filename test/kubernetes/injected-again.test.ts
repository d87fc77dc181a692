/** A pod that was injected before and says something else now: what is ours follows it. */
import { expect, test } from 'vitest'
import { injected, type InjectedPod, reasonsFor } from './patched.ts'

const pod = (annotations: Record<string, string> = {}) => ({
  metadata: { annotations },
  spec: { containers: [{ name: 'app', image: 'app:1' }] },
})

test('with another audience or ConfigMap it is as it would have been at once', () => {
  const other = { audience: 'api://other' }
  const once = injected(pod({ 'wimds.io/config-map': 'one' }))
  const twice = injected(saying(once, { 'wimds.io/config-map': 'two' }), other)
  expect(twice).toEqual(injected(pod({ 'wimds.io/config-map': 'two' }), other))
})

test.each([
  ['a classic sidecar', false, 'injected for Kubernetes before 1.29 and is'],
  ['a native sidecar', true, 'injected for Kubernetes from 1.29 on and is'],
])('with %s it is refused where the other form is wanted', (_, hasNativeSidecars, message) => {
  const once = injected(pod(), { hasNativeSidecars })
  expect(reasonsFor(once, { hasNativeSidecars: !hasNativeSidecars })).toEqual([
    expect.stringMatching(`${message}.*inject the original manifest`),
  ])
})

/** The pod with other annotations than before, but for the record of its injection. */
function saying(given: InjectedPod, annotations: Record<string, string>): InjectedPod {
  const record = { 'wimds.io/injected': given.metadata.annotations['wimds.io/injected'] ?? '' }
  return { ...given, metadata: { annotations: { ...annotations, ...record } } }
}
