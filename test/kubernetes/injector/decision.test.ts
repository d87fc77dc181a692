/** Which pods are injected, which are left alone, and which are refused, with what is said then. */
import { describe, expect, test } from 'vitest'
import { inject } from '../../../src/kubernetes/injector/inject.ts'
import { injected, reasonsFor, request, settings } from './patched.ts'

const USE = { 'azure.workload.identity/use': 'true' }
const PROXY = 'azure.workload.identity/inject-proxy-sidecar'
const APP = { name: 'app' }
const pod = (metadata: object, spec: object = {}) => ({
  metadata,
  spec: { containers: [APP], ...spec },
})

const tokenSources = (path: string) => ({
  sources: [{ serviceAccountToken: { audience: 'vault', path } }],
})
const container = (more: object) => ({ containers: [{ name: 'app', ...more }] })

describe('where pods must ask', () => {
  test.each([
    ['wimds.io/inject: "true"', { annotations: { 'wimds.io/inject': 'true' } }, 'injected'],
    ['nothing', {}, 'skipped'],
    ['wimds.io/inject: "false"', { annotations: { 'wimds.io/inject': 'false' } }, 'skipped'],
    ['a true value for the incumbent', { annotations: { [PROXY]: 'true' } }, 'injected'],
    ['"false" for the incumbent', { annotations: { [PROXY]: 'false' } }, 'skipped'],
    ['an empty value for the incumbent', { annotations: { [PROXY]: '' } }, 'skipped'],
    [
      'a true value for the incumbent, whose webhook acts itself',
      { labels: USE, annotations: { [PROXY]: 'true' } },
      'skipped',
    ],
    [
      'our "false" beside the incumbent’s "true"',
      { annotations: { [PROXY]: 'true', 'wimds.io/inject': 'false' } },
      'skipped',
    ],
    ['a value that is neither', { annotations: { 'wimds.io/inject': 'yes' } }, 'rejected'],
  ])('a pod with %s is %s', (_, metadata, kind) => {
    const { kind: found } = inject(request(pod(metadata), { isOptOut: false }))
    expect(found).toBe(kind)
  })

  test('the incumbent’s port and skipped containers are honoured', () => {
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

test('an opted-out pod is left alone whatever else it says', () => {
  const annotations = { 'wimds.io/inject': 'false', 'wimds.io/port': 'x' }
  expect(inject(request(pod({ annotations }, { hostNetwork: true })))).toEqual({
    kind: 'skipped',
  })
})

test.each([
  ['app', []],
  ['app, migrate; ', []],
  ['ap', ['skip-containers names ap, which is no container of the pod']],
  ['ap,app,log', ['skip-containers names ap, log, which are no containers of the pod']],
])('skipping %s warns of what is not there', (names, warnings) => {
  for (const annotation of [
    'wimds.io/skip-containers',
    'azure.workload.identity/skip-containers',
  ]) {
    const spec = { initContainers: [{ name: 'migrate' }] }
    const injection = inject(request(pod({ annotations: { [annotation]: names } }, spec)))
    expect(injection).toMatchObject({ kind: 'injected', warnings })
  }
})

describe('refused with what to change', () => {
  const passThrough = { 'wimds.io/pass-through': '/metadata/instance' }
  const nft = { 'wimds.io/mode': 'nft' }
  const env = { 'wimds.io/mode': 'env' }

  test.each<[string, Record<string, string>, object, string]>([
    ['hostNetwork', {}, { hostNetwork: true }, 'remove hostNetwork'],
    ['hostNetwork in env mode', env, { hostNetwork: true }, 'remove hostNetwork'],
    ['Windows by os', {}, { os: { name: 'windows' } }, 'set wimds.io/mode: env'],
    [
      'Windows by node selector',
      nft,
      { nodeSelector: { 'kubernetes.io/os': 'windows' } },
      'mode nft needs Linux',
    ],
    ['azwi-proxy', {}, { containers: [APP, { name: 'azwi-proxy' }] }, 'already holds azwi-proxy'],
    [
      'azwi-proxy as a native sidecar',
      {},
      { initContainers: [{ name: 'azwi-proxy' }] },
      'already holds azwi-proxy',
    ],
    [
      'another mode than before',
      { 'wimds.io/injected': 'env' },
      {},
      'inject the original manifest',
    ],
    ['a stranger of our name', {}, { containers: [{ name: 'wimds' }] }, 'rename it'],
    [
      'a volume of our name of another type',
      {},
      { volumes: [{ name: 'wimds-token', emptyDir: {} }] },
      'the pod has a volume wimds-token that is not of its injection; rename it',
    ],
    [
      'a volume of our name with more than our type',
      { 'wimds.io/injected': 'loopback' },
      { volumes: [{ name: 'wimds-token', emptyDir: {}, projected: tokenSources('token') }] },
      'a volume wimds-token',
    ],
    [
      'a volume of our name with a token of another path',
      { 'wimds.io/injected': 'loopback' },
      { volumes: [{ name: 'wimds-token', projected: tokenSources('vault') }] },
      'a volume wimds-token',
    ],
    [
      'a volume of our name with a token for somebody else',
      {},
      { volumes: [{ name: 'wimds-token', projected: tokenSources('token') }] },
      'a volume wimds-token',
    ],
    [
      'a volume of the name of our ConfigMap’s, of another type',
      { 'wimds.io/config-map': 'identities', 'wimds.io/injected': 'loopback' },
      { volumes: [{ name: 'wimds-config', emptyDir: {} }] },
      'a volume wimds-config',
    ],
    [
      'a volume of the name of our ConfigMap’s, of another ConfigMap',
      { 'wimds.io/config-map': 'identities' },
      { volumes: [{ name: 'wimds-config', configMap: { name: 'theirs' } }] },
      'a volume wimds-config',
    ],
    [
      'an app on the sidecar’s port',
      {},
      container({ ports: [{ containerPort: 8000 }] }),
      'the container app uses port 8000; set wimds.io/port',
    ],
    [
      'an app on the admin port',
      {},
      container({ ports: [{ containerPort: 9169 }] }),
      'set wimds.io/admin-port',
    ],
    ['both ports alike', { 'wimds.io/port': '9169' }, {}, 'are both 9169'],
    ['pass-through in loopback mode', passThrough, {}, 'pass-through needs mode nft'],
    [
      'an app of the exempt uid',
      { ...passThrough, ...nft },
      container({ securityContext: { runAsUser: 1501 } }),
      'the container app runs as uid 1501',
    ],
    [
      'an app of the exempt uid by the pod’s own',
      { ...passThrough, ...nft },
      { securityContext: { runAsUser: 1501 } },
      'give it another runAsUser',
    ],
    [
      'a variable that leads SDKs elsewhere',
      env,
      container({ env: [{ name: 'MSI_ENDPOINT', value: 'http://x' }] }),
      'the container app sets MSI_ENDPOINT',
    ],
    [
      'another authority host',
      env,
      container({ env: [{ name: 'AZURE_POD_IDENTITY_AUTHORITY_HOST', value: 'http://x' }] }),
      'sets AZURE_POD_IDENTITY_AUTHORITY_HOST',
    ],
    [
      'a memory request above its limit',
      { 'wimds.io/memory-request': '1Gi', 'wimds.io/memory-limit': '512Mi' },
      {},
      'the memory request 1Gi is above its limit 512Mi',
    ],
    ['no containers', {}, { containers: [] }, 'spec.containers must not be empty'],
    ['a misspelt annotation', { 'wimds.io/prot': '1' }, {}, 'wimds.io/prot is unknown'],
    ['a privileged port', { 'wimds.io/port': '80' }, {}, 'must be a port from 1024 to 65535'],
    ['a port that is none', { 'wimds.io/port': '0x1f90' }, {}, 'must be a port from 1024'],
    ['an unknown mode', { 'wimds.io/mode': 'ebpf' }, {}, 'must be one of env, loopback, nft'],
    ['a quantity that is none', { 'wimds.io/cpu-request': 'lots' }, {}, 'must be a quantity'],
    ['a Secret of three parts', { 'wimds.io/identity-header-secret': 'a/b/c' }, {}, 'NAME/KEY'],
  ])('%s', (_, annotations, spec, message) => {
    expect(reasonsFor(pod({ annotations }, spec))).toEqual([expect.stringContaining(message)])
  })

  test('but not for a volume of a reserved name that nothing asks for', () => {
    const volumes = [{ name: 'wimds-config', emptyDir: {} }]
    expect(reasonsFor(pod({}, { volumes }))).toEqual([])
  })

  test('a skipped container may lead its SDKs elsewhere', () => {
    const annotations = { ...env, 'wimds.io/skip-containers': 'app' }
    const spec = container({ env: [{ name: 'MSI_ENDPOINT', value: 'http://x' }] })
    expect(reasonsFor(pod({ annotations }, spec))).toEqual([])
  })

  test('an app of the sidecar’s uid without pass-through is fine', () => {
    expect(reasonsFor(pod({ annotations: nft }, { securityContext: { runAsUser: 1501 } }))).toEqual(
      [],
    )
  })

  test('pass-through without a known uid', () => {
    const reasons = reasonsFor(pod({ annotations: { ...passThrough, ...nft } }), { uid: undefined })
    expect(reasons).toEqual([expect.stringContaining('needs a known uid')])
  })

  test('a pod that runs to completion, before Kubernetes 1.29', () => {
    const job = pod({}, { restartPolicy: 'Never' })
    expect(reasonsFor(job)).toEqual([])
    expect(reasonsFor(job, { hasNativeSidecars: false })).toEqual([
      expect.stringContaining('would never complete beside a sidecar before Kubernetes 1.29'),
    ])
  })

  test('a pod that the incumbent’s webhook would inject as well', () => {
    const metadata = { labels: USE, annotations: { [PROXY]: 'false', 'wimds.io/inject': 'true' } }
    expect(reasonsFor(pod(metadata))).toEqual([
      expect.stringContaining('would add azwi-proxy as well'),
    ])
  })

  test.each([
    ['', { serviceAccountName: 'orders' }],
    [' of the older field', { serviceAccount: 'orders' }],
  ])('no tenant, named after the ServiceAccount%s', (_, spec) => {
    const bare = { pod: pod({}, spec), serviceAccount: {}, settings: settings() }
    expect(inject(bare)).toEqual({
      kind: 'rejected',
      reasons: [expect.stringContaining('annotate the ServiceAccount orders')],
    })
  })

  test('everything at once', () => {
    const annotations = { 'wimds.io/prot': '1', 'wimds.io/port': 'x' }
    expect(reasonsFor(pod({ annotations }, { hostNetwork: true }))).toHaveLength(3)
  })

  test('something that is no pod', () => {
    expect(reasonsFor('a pod')).toEqual(['the pod template must be of type object'])
    expect(reasonsFor({ spec: { containers: 'app' } })).toEqual([
      'spec.containers must be of type array',
    ])
  })
})

test.each([
  ['prefetch', 'https://a https://b', 'WIMDS_PREFETCH: must be a resource'],
  ['pass-through', '/metadata/identity', "gives away the machine's own identity"],
])('a pod whose wimds.io/%s its sidecar would not start with is refused', (name, value, reason) => {
  const annotations = { [`wimds.io/${name}`]: value, 'wimds.io/mode': 'nft' }
  expect(reasonsFor(pod({ annotations })).join()).toContain(reason)
})

test('a variable that Kubernetes puts together is not judged', () => {
  const sidecarEnv = [
    { name: 'REGION', value: 'westeurope' },
    { name: 'WIMDS_REGION', value: '$(REGION)' },
  ]
  expect(inject(request(pod({}), { sidecarEnv })).kind).toBe('injected')
  const wrong = [{ name: 'WIMDS_REGION', value: 'West Europe' }]
  expect(inject(request(pod({}), { sidecarEnv: wrong })).kind).toBe('rejected')
})
