/** The annotations of a pod: who is injected, and which values are rejected. */
import { describe, expect, test } from 'vitest'
import { inject } from '../../../src/injection/injector/inject.ts'
import { APP, injected, pod, reasonsFor, request } from './patched.ts'

const USE = { 'azure.workload.identity/use': 'true' }
const PROXY = 'azure.workload.identity/inject-proxy-sidecar'

describe('opting in', () => {
  test.each<[string, object, object?]>([
    ['injected', { 'wimds.io/inject': 'true' }],
    ['skipped', {}],
    ['skipped', { 'wimds.io/inject': 'false' }],
    ['injected', { [PROXY]: 'true' }],
    ['skipped', { [PROXY]: 'false' }],
    ['skipped', { [PROXY]: '' }],
    // The webhook of azure-workload-identity selects this pod.
    ['skipped', { [PROXY]: 'true' }, USE],
    ['skipped', { [PROXY]: 'true', 'wimds.io/inject': 'false' }],
    ['rejected', { 'wimds.io/inject': 'yes' }],
  ])('a pod is %s with the annotations %j', (kind, annotations, labels = {}) => {
    const given = { ...pod(), metadata: { labels, annotations } }
    expect(inject(request(given, { injectByDefault: false })).kind).toBe(kind)
  })

  test('the port and skipped containers of azure-workload-identity are honoured', () => {
    const result = injected(
      pod({
        [PROXY]: 'true',
        'azure.workload.identity/proxy-sidecar-port': '8500',
        'azure.workload.identity/skip-containers': 'app',
      }),
    )
    const sidecar = result.spec.initContainers?.find(({ name }) => name === 'wimds')
    expect(sidecar?.env).toContainEqual({ name: 'WIMDS_LISTEN', value: '127.0.0.1:8500' })
    expect(result.spec.containers).toEqual([APP])
  })
})

test('a pod that opts out is skipped, however malformed its other annotations are', () => {
  const annotations = { 'wimds.io/inject': 'false', 'wimds.io/port': 'x' }
  expect(inject(request(pod(annotations, { hostNetwork: true })))).toEqual({
    kind: 'skipped',
    warnings: [],
  })
})

test.each([
  ['mod', 'the annotation wimds.io/mod is unknown. Did you mean wimds.io/mode?'],
  ['inejct', 'the annotation wimds.io/inejct is unknown. Did you mean wimds.io/inject?'],
  [
    'frobnicate',
    expect.stringMatching(/wimds\.io\/frobnicate is unknown; known are wimds\.io\/\{/),
  ],
])('an unknown annotation has the name that was meant, or else all of them: %s', (name, reason) => {
  expect(reasonsFor(pod({ [`wimds.io/${name}`]: 'env' }))).toEqual([reason])
})

describe('a malformed annotation is rejected', () => {
  test.each([
    ['prot', '1', 'the annotation wimds.io/prot is unknown'],
    ['port', '80', 'must be a whole number from 1024 to 65535, not "80"'],
    ['port', '0x1f90', 'must be a whole number from 1024'],
    ['mode', 'ebpf', 'must be one of env, loopback, nft'],
    ['cpu-request', 'lots', 'must be a quantity'],
    ['https-proxy-secret', 'a/b/c', 'NAME/KEY'],
    ['config-map', 'My_Map', 'the name of a ConfigMap, not "My_Map"'],
    ['ca-config-map', 'ca/../x', 'NAME or NAME/KEY of a ConfigMap'],
    ['ca-secret', 'Shop:ca', 'NAME or NAME/KEY of a Secret, not "Shop:ca"'],
    ['prefetch', 'https://a https://b', 'the annotation wimds.io/prefetch must be a resource'],
    ['prefetch', 'https://a,', 'has an empty item'],
    ['pass-through', '/metadata/identity', 'cannot be forwarded'],
    ['https-proxy', 'ftp://proxy', 'must be an http:// or https:// proxy'],
    ['https-proxy', ' ', 'must be the URL of a proxy'],
  ])('wimds.io/%s: %j', (name, value, reason) => {
    const reasons = reasonsFor(pod({ [`wimds.io/${name}`]: value }))
    expect(reasons).toEqual([expect.stringContaining(reason)])
  })

  test.each(['3599', '86401', '1h'])('a token that is valid for %s', (value) => {
    const name = 'azure.workload.identity/service-account-token-expiration'
    expect(reasonsFor(pod({ [name]: value }))).toEqual([
      `the annotation ${name} must be a whole number from 3600 to 86400, not "${value}"`,
    ])
  })

  test.each([
    [{ 'wimds.io/ca-config-map': 'a', 'wimds.io/ca-secret': 'b' }],
    [{ 'wimds.io/https-proxy': 'http://proxy', 'wimds.io/https-proxy-secret': 'b' }],
  ])('two that exclude each other: %j', (annotations) => {
    expect(reasonsFor(pod(annotations))).toEqual([
      `the annotations ${Object.keys(annotations).join(' and ')} are both set. Fix: remove one`,
    ])
  })

  test('a proxy with a password, which is not repeated', () => {
    const reasons = reasonsFor(pod({ 'wimds.io/https-proxy': 'http://me:hunter2@proxy:3128' }))
    expect(reasons).toEqual([expect.stringMatching(/Fix: .*wimds\.io\/https-proxy-secret$/)])
    expect(reasons.join('')).not.toContain('hunter2')
  })

  test('and every problem is reported at once', () => {
    const annotations = { 'wimds.io/prot': '1', 'wimds.io/port': 'x' }
    expect(reasonsFor(pod(annotations, { hostNetwork: true }))).toHaveLength(3)
  })
})
