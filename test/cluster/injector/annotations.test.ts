/** The annotations of a pod: who is injected, and which values are rejected. */
import { describe, expect, test } from 'vitest'
import { inject } from '../../../src/cluster/injector/inject.ts'
import { injected, reasonsFor, request } from './patched.ts'

const USE = { 'azure.workload.identity/use': 'true' }
const PROXY = 'azure.workload.identity/inject-proxy-sidecar'
const APP = { name: 'app' }
const pod = (metadata: object, spec: object = {}) => ({
  metadata,
  spec: { containers: [APP], ...spec },
})

describe('opting in', () => {
  test.each([
    ['wimds.io/inject: "true"', { annotations: { 'wimds.io/inject': 'true' } }, 'injected'],
    ['nothing', {}, 'skipped'],
    ['wimds.io/inject: "false"', { annotations: { 'wimds.io/inject': 'false' } }, 'skipped'],
    ['"true" for azure-workload-identity', { annotations: { [PROXY]: 'true' } }, 'injected'],
    ['"false" for azure-workload-identity', { annotations: { [PROXY]: 'false' } }, 'skipped'],
    ['an empty value for azure-workload-identity', { annotations: { [PROXY]: '' } }, 'skipped'],
    [
      '"true" for azure-workload-identity, whose webhook selects the pod',
      { labels: USE, annotations: { [PROXY]: 'true' } },
      'skipped',
    ],
    [
      '"false" for wimds and "true" for azure-workload-identity',
      { annotations: { [PROXY]: 'true', 'wimds.io/inject': 'false' } },
      'skipped',
    ],
    ['a value that is neither', { annotations: { 'wimds.io/inject': 'yes' } }, 'rejected'],
  ])('a pod with %s is %s', (_, metadata, kind) => {
    const { kind: found } = inject(request(pod(metadata), { injectByDefault: false }))
    expect(found).toBe(kind)
  })

  test('the port and skipped containers of azure-workload-identity are honoured', () => {
    const result = injected(
      pod({
        annotations: {
          [PROXY]: 'true',
          'azure.workload.identity/proxy-sidecar-port': '8500',
          'azure.workload.identity/skip-containers': 'app',
        },
      }),
    )
    const sidecar = result.spec.initContainers?.find(({ name }) => name === 'wimds')
    expect(sidecar?.env).toContainEqual({ name: 'WIMDS_LISTEN', value: '127.0.0.1:8500' })
    expect(result.spec.containers).toEqual([APP])
  })
})

test('a pod that opts out is skipped, however malformed its other annotations are', () => {
  const annotations = { 'wimds.io/inject': 'false', 'wimds.io/port': 'x' }
  expect(inject(request(pod({ annotations }, { hostNetwork: true })))).toEqual({
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
  const annotations = { [`wimds.io/${name}`]: 'env' }
  expect(reasonsFor(pod({ annotations }))).toEqual([reason])
})

describe('a malformed annotation is rejected', () => {
  test.each<[string, string, string, string]>([
    ['an unknown name', 'prot', '1', 'the annotation wimds.io/prot is unknown'],
    ['a privileged port', 'port', '80', 'must be a whole number from 1024 to 65535, not "80"'],
    ['a port in hexadecimal', 'port', '0x1f90', 'must be a whole number from 1024'],
    ['an unknown mode', 'mode', 'ebpf', 'must be one of env, loopback, nft'],
    ['other SDK credentials', 'sdk-credentials', 'all', 'must be one of managed-identity'],
    ['a malformed quantity', 'cpu-request', 'lots', 'must be a quantity'],
    ['a Secret of three parts', 'identity-header-secret', 'a/b/c', 'NAME/KEY'],
    [
      'a ConfigMap of no valid name',
      'config-map',
      'My_Map',
      'the name of a ConfigMap, not "My_Map"',
    ],
    ['a CA with a path as key', 'ca-config-map', 'ca/../x', 'NAME or NAME/KEY of a ConfigMap'],
    ['a CA of a namespace', 'ca-secret', 'Shop:ca', 'NAME or NAME/KEY of a Secret, not "Shop:ca"'],
    ['a proxy of no valid URL', 'https-proxy', 'ftp://proxy', 'would not start with HTTPS_PROXY'],
    ['no proxy', 'https-proxy', ' ', 'must be the URL of a proxy'],
  ])('%s', (_, name, value, reason) => {
    const annotations = { [`wimds.io/${name}`]: value }
    expect(reasonsFor(pod({ annotations }))).toEqual([expect.stringContaining(reason)])
  })

  test.each(['3599', '86401', '1h'])('a token that is valid for %s', (value) => {
    const name = 'azure.workload.identity/service-account-token-expiration'
    expect(reasonsFor(pod({ annotations: { [name]: value } }))).toEqual([
      `the annotation ${name} must be a whole number from 3600 to 86400, not "${value}"`,
    ])
  })

  test.each([
    [{ 'wimds.io/ca-config-map': 'a', 'wimds.io/ca-secret': 'b' }],
    [{ 'wimds.io/https-proxy': 'http://proxy', 'wimds.io/https-proxy-secret': 'b' }],
  ])('two of which one excludes the other: %j', (annotations) => {
    expect(reasonsFor(pod({ annotations }))).toEqual([
      `the annotations ${Object.keys(annotations).join(' and ')} are both set. Fix: remove one`,
    ])
  })

  test('a proxy with a password, which is not repeated', () => {
    const annotations = { 'wimds.io/https-proxy': 'http://me:hunter2@proxy:3128' }
    const reasons = reasonsFor(pod({ annotations }))
    expect(reasons).toEqual([expect.stringMatching(/Fix: .*wimds\.io\/https-proxy-secret$/)])
    expect(reasons.join('')).not.toContain('hunter2')
  })

  test('and every problem is reported at once', () => {
    const annotations = { 'wimds.io/prot': '1', 'wimds.io/port': 'x' }
    expect(reasonsFor(pod({ annotations }, { hostNetwork: true }))).toHaveLength(3)
  })
})
