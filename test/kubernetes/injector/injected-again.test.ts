/** A pod that was injected before and says something else now: what is ours follows it. */
import { expect, test } from 'vitest'
import { inject } from '../../../src/kubernetes/injector/inject.ts'
import {
  containerOf,
  injected,
  type InjectedPod,
  patchFor,
  reasonsFor,
  request,
  type TestContainer,
} from './patched.ts'

const pod = (annotations: Record<string, string> = {}) => ({
  metadata: { annotations },
  spec: { containers: [{ name: 'app', image: 'app:1' }] },
})

const RECORD = 'wimds.io/injected'
const NFT = { 'wimds.io/mode': 'nft' }
const ENV = { 'wimds.io/mode': 'env' }

test.each<[string, Record<string, string>, Record<string, string>]>([
  ['another admin port', { 'wimds.io/admin-port': '9200' }, { 'wimds.io/admin-port': '9300' }],
  ['the usual admin port', { 'wimds.io/admin-port': '9200' }, {}],
  ['another port', { ...ENV, 'wimds.io/port': '8100' }, { ...ENV, 'wimds.io/port': '8200' }],
  ['the usual port', { ...NFT, 'wimds.io/port': '8100' }, NFT],
  ['nothing to prefetch', { 'wimds.io/prefetch': 'https://vault.azure.net' }, {}],
  ['nothing to pass on', { ...NFT, 'wimds.io/pass-through': '/metadata/instance' }, NFT],
  [
    'another secret',
    { ...ENV, 'wimds.io/identity-header-secret': 'one' },
    { ...ENV, 'wimds.io/identity-header-secret': 'two' },
  ],
])('with %s it is as it would have been at once', (_, before, now) => {
  expect(unordered(injected(saying(injected(pod(before)), now)))).toEqual(
    unordered(injected(pod(now))),
  )
})

test('without its ConfigMap it keeps the volume alone, with a warning', () => {
  const once = injected(pod({ 'wimds.io/config-map': 'identities' }))
  const again = saying(once, {})
  const twice = injected(again)
  expect(containersOf(twice)).toEqual(containersOf(injected(pod())))
  expect(inject(request(again))).toMatchObject({
    warnings: ['the volume wimds-config is of no use any more; remove it'],
  })
  expect(inject(request(twice))).toMatchObject({ warnings: [] })
})

test('without a token of its own it keeps no mount of that', () => {
  const env = [{ name: 'AZURE_FEDERATED_TOKEN_FILE', value: '/var/run/secrets/own/token' }]
  const volumeMounts = [{ name: 'own', mountPath: '/var/run/secrets/own' }]
  const volumes = [
    { name: 'own', projected: { sources: [{ serviceAccountToken: { path: 'token' } }] } },
  ]
  const containers = [{ name: 'app', env, volumeMounts }]
  const once = injected({ ...pod(), spec: { containers, volumes } })
  expect(containerOf(once, 'wimds').volumeMounts).toHaveLength(1)
  const { containers: now } = injected(pod()).spec
  const twice = injected({ ...once, spec: { ...once.spec, containers: now, volumes: [] } })
  expect(unordered(twice)).toEqual(unordered(injected(pod())))
})

test('it keeps what others have set on the sidecar', () => {
  const once = injected(pod(), { sidecarEnv: [{ name: 'WIMDS_LOG_LEVEL', value: 'debug' }] })
  expect(patchFor(once)).toEqual([])
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
  const record = { [RECORD]: given.metadata.annotations[RECORD] ?? '' }
  return { ...given, metadata: { annotations: { ...annotations, ...record } } }
}

const containersOf = ({ spec }: InjectedPod) => [spec.containers, spec.initContainers]

/** The pod with its containers' variables in the order of their names. */
function unordered({ metadata, spec }: InjectedPod): unknown {
  const containers = spec.containers.map(sorted)
  return {
    metadata,
    spec: { ...spec, containers, initContainers: spec.initContainers?.map(sorted) },
  }
}

function sorted({ env, ...container }: TestContainer): TestContainer {
  if (env === undefined) return container
  return { ...container, env: env.toSorted((one, other) => one.name.localeCompare(other.name)) }
}
