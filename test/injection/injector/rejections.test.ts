/** Pods that are rejected, each with its fix, and warnings. */
import { describe, expect, test } from 'vitest'
import { inject } from '../../../src/injection/injector/inject.ts'
import {
  APP,
  CLIENT,
  pod,
  reasonsFor,
  request,
  SERVICE_ACCOUNT,
  settings,
  warningsFor,
} from './patched.ts'

const USE = { 'azure.workload.identity/use': 'true' }
const PROXY = 'azure.workload.identity/inject-proxy-sidecar'
const passThrough = { 'wimds.io/pass-through': '/metadata/instance' }
const nft = { 'wimds.io/mode': 'nft' }

/** The reasons for a container with pass-through that runs no setuid program, unless its context says otherwise. */
const setuid = (context: object, podContext: object = {}) =>
  reasonsFor(
    pod(
      { ...passThrough, ...nft },
      {
        ...container({ securityContext: { allowPrivilegeEscalation: false, ...context } }),
        securityContext: podContext,
      },
    ),
  )
const drop = (...names: string[]) => ({ capabilities: { drop: names } })
const container = (more: object) => ({ containers: [{ name: 'app', ...more }] })

const withVariables = (values: Readonly<Record<string, string>>) =>
  container({ env: Object.entries(values).map(([name, value]) => ({ name, value })) })

test.each([
  ['UDP', 0],
  ['SCTP', 0],
  ['TCP', 1],
])('a port of the sidecar that a container declares for %s: reasons: %s', (protocol, count) => {
  const spec = container({ ports: [{ containerPort: 64169, protocol }] })
  expect(reasonsFor(pod({}, spec))).toHaveLength(count)
})

describe('a pod is rejected with a fix for', () => {
  const env = { 'wimds.io/mode': 'env' }

  const port = (containerPort: number) => container({ ports: [{ containerPort }] })
  const uid1501 = { securityContext: { runAsUser: 1501 } }
  const exempt = { ...passThrough, ...nft }
  const memory = { 'wimds.io/memory-request': '1Gi', 'wimds.io/memory-limit': '512Mi' }

  test.each<[Record<string, string>, object, string]>([
    [{}, { hostNetwork: true }, 'remove hostNetwork'],
    [env, { os: { name: 'windows' } }, 'the pod runs on Windows'],
    [nft, { nodeSelector: { 'kubernetes.io/os': 'windows' } }, 'the pod runs on Windows'],
    [{}, { containers: [APP, { name: 'azwi-proxy' }] }, 'already has the container azwi-proxy'],
    [
      {},
      { containers: [APP, { name: 'wimds' }] },
      'that the annotation wimds.io/injected does not',
    ],
    [{}, { volumes: [{ name: 'wimds-token' }] }, 'wimds-token, a reserved name. Fix: rename it'],
    [{}, { volumes: [{ name: 'wimds-config' }] }, 'a volume wimds-config'],
    [
      {},
      port(64169),
      'declares port 64169, on which the sidecar would listen. Fix: set the annotation',
    ],
    [{}, port(9169), 'set the annotation wimds.io/admin-port'],
    [{ 'wimds.io/port': '9169' }, {}, 'are both 9169'],
    [passThrough, {}, 'pass-through needs mode nft'],
    [exempt, container(uid1501), 'the container app runs as uid 1501'],
    [exempt, uid1501, 'Fix: set another runAsUser'],
    [env, withVariables({ MSI_ENDPOINT: 'http://x' }), 'the container app sets MSI_ENDPOINT'],
    [nft, withVariables({ IMDS_ENDPOINT: 'http://x' }), 'the container app sets IMDS_ENDPOINT'],
    [{}, withVariables({ IDENTITY_SERVER_THUMBPRINT: 'x' }), 'Fix: remove the variable, or list'],
    [memory, {}, 'the memory request 1Gi is above its limit 512Mi'],
    [{}, { containers: [] }, 'spec.containers must not be empty'],
  ])('%j and %j', (annotations, spec, message) => {
    expect(reasonsFor(pod(annotations, spec))).toEqual([expect.stringContaining(message)])
  })

  test.each(['NO_PROXY', 'no_proxy', 'AZURE_POD_IDENTITY_AUTHORITY_HOST', 'MSI_SECRET'])(
    'a variable that injection sets and the container sets twice: %s',
    (name) => {
      const twice = container({
        env: [
          { name, value: 'a' },
          { name, value: 'b' },
        ],
      })
      const given = pod(env, twice)
      const reason = `the container app sets ${name} 2 times. Fix: set it once`
      expect(reasonsFor(given)).toContain(reason)
    },
  )

  test('a pod whose patch would be larger than 1 MiB', () => {
    const large = { env: [{ name: 'HTTP_PROXY', value: 'x'.repeat(2 ** 20) }] }
    expect(reasonsFor(pod({}, container(large)))).toEqual([
      expect.stringMatching(/^the patch would have 1\d{6} bytes, but the limit is 1048576\. Fix: /),
    ])
  })

  test('a mode that the operator does not allow', () => {
    const allowedModes = ['env', 'loopback'] as const
    const reason = 'mode nft is not allowed here. Fix: set wimds.io/mode to env or loopback'
    expect(reasonsFor(pod(nft), { allowedModes })).toEqual([reason])
    const earlier = { 'wimds.io/injected': '{"mode":"nft"}' }
    expect(reasonsFor(pod(earlier), { allowedModes })).toEqual([reason])
    expect(reasonsFor(pod(env), { allowedModes })).toEqual([])
  })

  test('pass-through if the operator does not allow it', () => {
    const securityContext = { allowPrivilegeEscalation: false, runAsUser: 1000 }
    const given = pod(exempt, container({ securityContext }))
    expect(reasonsFor(given)).toEqual([])
    expect(reasonsFor(given, { allowPassThrough: false })).toEqual([
      'pass-through is not allowed here. Fix: remove wimds.io/pass-through',
    ])
  })

  describe('with pass-through a container that may take the sidecar’s uid', () => {
    const NO_USER =
      /^the container app has no runAsUser, so its image may run as uid 1501, .* Fix: set another/
    const KEEPS = /^the container app keeps the capability SETUID.* Fix: drop it, or/
    const PRIVILEGED = /^the container app is privileged, .* Fix: remove privileged$/
    const NONE = /^$/
    const root = { runAsUser: 0 }
    const added = { capabilities: { drop: ['ALL'], add: ['SETUID'] } }

    test.each<[object, object, RegExp]>([
      [{}, {}, NO_USER],
      [drop('ALL'), {}, NO_USER],
      [root, {}, KEEPS],
      [root, { runAsNonRoot: true, runAsUser: 1000 }, KEEPS],
      [{ runAsUser: 1000, ...added }, {}, KEEPS],
      [{ privileged: true, ...root, ...drop('ALL') }, {}, PRIVILEGED],
      [{ ...root, ...drop('ALL') }, {}, NONE],
      [{ ...root, ...drop('NET_RAW', 'SETUID') }, {}, NONE],
      [{ runAsUser: 1000 }, {}, NONE],
      [{}, { runAsUser: 1000 }, NONE],
    ])(
      'is judged by its own context %j and the context of the pod, %j',
      (context, podContext, reason) => {
        expect(setuid(context, podContext).join('\n')).toMatch(reason)
      },
    )

    test.each([{ ...root, ...drop('ALL') }, { runAsUser: 1000 }])(
      'is rejected with setuid programs, whatever its user is: %j',
      (context) => {
        const reason = /may run a setuid program .* Fix: set allowPrivilegeEscalation: false$/
        for (const allowPrivilegeEscalation of [undefined, null, true]) {
          const reasons = setuid({ ...context, allowPrivilegeEscalation })
          expect(reasons).toEqual([expect.stringMatching(reason)])
        }
      },
    )

    test('is rejected with all that it has to set', () => {
      const spec = container({ securityContext: root })
      expect(reasonsFor(pod(exempt, spec))).toEqual([
        expect.stringContaining('Fix: set allowPrivilegeEscalation: false'),
        expect.stringContaining('Fix: drop it, or do not add it and set a runAsUser other than 0'),
      ])
    })
  })

  test.each(['env', 'loopback', 'nft', 'node'])(
    'mode %s leaves port 8000 to the application: Django, uvicorn and gunicorn listen there',
    (mode) => {
      const spec = port(8000)
      expect(reasonsFor(pod({ 'wimds.io/mode': mode, [PROXY]: 'true' }, spec))).toEqual([])
    },
  )

  test.each<[Record<string, string>, object, string]>([
    [{}, { name: 'azwi-proxy-init' }, 'has the container azwi-proxy'],
    [{}, { ports: [{ containerPort: 64169 }] }, 'declares port 64169'],
    [exempt, { securityContext: { privileged: true, runAsUser: 0 } }, 'migrate is privileged'],
    [env, { env: [{ name: 'MSI_ENDPOINT', value: 'http://x' }] }, 'migrate sets MSI_ENDPOINT'],
  ])('an init container, %j: %j', (annotations, more, message) => {
    const securityContext = { allowPrivilegeEscalation: false, runAsUser: 1000 }
    const initContainers = [{ name: 'migrate', ...more }]
    const spec = { ...container({ securityContext }), initContainers }
    expect(reasonsFor(pod(annotations, spec))).toEqual([expect.stringContaining(message)])
  })

  test('but a skipped container may set such a variable', () => {
    const given = pod(
      { ...env, 'wimds.io/skip-containers': 'app' },
      withVariables({ MSI_ENDPOINT: 'http://x' }),
    )
    expect(reasonsFor(given)).toEqual([])
  })

  test('pass-through without a known uid', () => {
    const reasons = reasonsFor(pod({ ...passThrough, ...nft }), { uid: undefined })
    expect(reasons).toEqual([expect.stringContaining('needs a known uid')])
  })

  test('a pod that the webhook of azure-workload-identity would inject as well', () => {
    const metadata = { labels: USE, annotations: { [PROXY]: 'false', 'wimds.io/inject': 'true' } }
    expect(reasonsFor({ ...pod(), metadata })).toEqual([
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

  test('a malformed pod', () => {
    expect(reasonsFor('a pod')).toEqual([
      'the pod template must be a mapping. Fix: correct it (kubectl explain pod)',
    ])
    expect(reasonsFor({})).toEqual(['spec is missing. Fix: add it (kubectl explain pod.spec)'])
    expect(reasonsFor({ spec: { containers: 'app' } })).toEqual([
      'spec.containers must be a list. Fix: correct it (kubectl explain pod.spec.containers)',
    ])
    const malformed = { env: [{ value: 'secret' }], resources: { limits: { cpu: true } } }
    expect(reasonsFor({ spec: { containers: [malformed] } })).toEqual([
      'spec.containers.0.name is missing. Fix: add it (kubectl explain pod.spec.containers.name)',
      'spec.containers.0.env.0.name is missing. Fix: add it (kubectl explain pod.spec.containers.env.name)',
      'spec.containers.0.resources.limits.cpu must be a quantity. Fix: write one such as 100m or 64Mi',
    ])
  })
})

describe('an id that is malformed', () => {
  const NAMES = ['azure.workload.identity/client-id', 'azure.workload.identity/tenant-id'] as const

  test.each(NAMES)('is rejected as the annotation %s of the ServiceAccount', (name) => {
    const serviceAccount = { ...SERVICE_ACCOUNT, [name]: 'common' }
    expect(inject({ ...request(pod()), serviceAccount })).toMatchObject({
      reasons: [
        expect.stringMatching(
          `^the annotation ${name} of the ServiceAccount default must .*"common".* Fix: correct the`,
        ),
      ],
    })
  })

  test('is rejected as the variable of a container if that has given it', () => {
    const spec = withVariables({ AZURE_FEDERATED_TOKEN_FILE: '/t', AZURE_CLIENT_ID: 'orders' })
    const [, ...tenant] = Object.entries(SERVICE_ACCOUNT)
    const own = { ...request(pod({}, spec)), serviceAccount: Object.fromEntries(tenant) }
    expect(inject(own)).toMatchObject({
      reasons: [
        'the variable AZURE_CLIENT_ID of a container must be a GUID, not "orders". Fix: correct it',
      ],
    })
  })

  test.each([
    ['$(NAME), which the kubelet replaces', { value: '$(ID)' }],
    [
      'valueFrom, which the kubelet reads',
      { valueFrom: { configMapKeyRef: { name: 'a', key: 'b' } } },
    ],
    ['no value, which counts as unset', { value: '' }],
  ])('is not checked while it has %s', (_, value) => {
    const env = [
      { name: 'AZURE_FEDERATED_TOKEN_FILE', value: '/t' },
      { name: 'AZURE_CLIENT_ID', ...value },
    ]
    const [, ...tenant] = Object.entries(SERVICE_ACCOUNT)
    const given = request(pod({}, { containers: [{ ...APP, env }] }))
    const own = { ...given, serviceAccount: Object.fromEntries(tenant) }
    expect(inject(own).kind).toBe('injected')
  })

  test('is no tenant if a container sets that to nothing', () => {
    const spec = withVariables({ AZURE_FEDERATED_TOKEN_FILE: '/t', AZURE_TENANT_ID: '' })
    expect(inject({ ...request(pod({}, spec)), serviceAccount: {} })).toMatchObject({
      reasons: [expect.stringMatching(/^no tenant id\. Fix: /)],
    })
  })
})

const warningsOf = (name: string, value: string, more = {}) =>
  warningsFor(pod({}, withVariables({ [name]: value })), more)

describe('a warning', () => {
  test.each(['loopback', 'nft'] as const)(
    'names a variable that leads SDKs past the redirect of mode %s',
    (mode) => {
      for (const name of ['IDENTITY_ENDPOINT', 'MSI_ENDPOINT', 'AZURE_POD_IDENTITY_AUTHORITY_HOST'])
        expect(warningsOf(name, 'http://127.0.0.1:41000/msi/token', { mode })).toEqual([
          expect.stringContaining(
            `the container app sets ${name}, so SDKs that read it never ask the sidecar. Fix: remove`,
          ),
        ])
    },
  )

  test.each([
    'http://169.254.169.254:80/metadata/identity/oauth2/token',
    'http://localhost:64169/oauth2/token',
    '',
  ])('is not given for the endpoint %s, which leads to the sidecar or nowhere', (value) => {
    expect(warningsOf('MSI_ENDPOINT', value)).toEqual([])
  })

  test.each([
    ['http://127.0.0.1:64169/msi', ', so SDKs that read it never ask the sidecar'],
    ['http://169.254.169.254/msi/token', ', but the sidecar has no secret for it'],
  ])('names the endpoint %s, from which SDKs get an error', (value, reason) => {
    const text = `the container app sets MSI_ENDPOINT${reason}`
    expect(warningsOf('MSI_ENDPOINT', value)).toEqual([expect.stringContaining(text)])
  })

  test('names the client id of a container that is not the identity of the pod', () => {
    const other = '33333333-3333-4333-8333-33333333333A'
    const warning = `the container app sets AZURE_CLIENT_ID to ${other}, but the identity of the pod is ${CLIENT}. Fix: `
    for (const mode of ['loopback', 'node'] as const) {
      expect(warningsOf('AZURE_CLIENT_ID', other, { mode })).toEqual([
        expect.stringContaining(warning),
      ])
    }
    for (const value of [CLIENT, '']) expect(warningsOf('AZURE_CLIENT_ID', value)).toEqual([])
    const listed = pod({ 'wimds.io/config-map': 'ids' }, withVariables({ AZURE_CLIENT_ID: other }))
    expect(warningsFor(listed)).toEqual([])
  })

  describe('of a proxy that only the application has', () => {
    const warning =
      'the container app sets HTTPS_PROXY, but the sidecar has no proxy, so it may not reach Entra ID. Fix: set the annotation wimds.io/https-proxy, or HTTPS_PROXY in injection.env of the chart'
    const proxied = withVariables({ HTTPS_PROXY: 'http://user:hunter2@proxy:3128' })
    const proxy = { 'wimds.io/https-proxy': 'http://proxy:3128' }
    const tokenProxy = [{ name: 'AZURE_KUBERNETES_TOKEN_PROXY', value: 'https://proxy.svc' }]

    test('says which annotation gives it to the sidecar', () => {
      expect(warningsFor(pod({}, proxied))).toEqual([warning])
    })

    test.each<[string, Record<string, string>, object, object]>([
      ['the sidecar has one', proxy, proxied, {}],
      ['the sidecar uses a token proxy', {}, proxied, { sidecarEnv: tokenProxy }],
      ['the broker of the node has settings of its own', {}, proxied, { mode: 'node' }],
      ['its proxy is for http only', {}, withVariables({ HTTP_PROXY: 'http://proxy:3128' }), {}],
      ['its variable is empty', {}, withVariables({ https_proxy: '' }), {}],
    ])('is not given where %s', (_, annotations, spec, more) => {
      expect(warningsFor(pod(annotations, spec), more)).toEqual([])
    })
  })

  test.each([
    ['app', []],
    ['app, migrate; ', []],
    ['ap', ['wimds.io/skip-containers lists ap, but the pod has no such container']],
  ])('names each of the skipped containers %s that does not exist', (names, warnings) => {
    for (const prefix of ['wimds.io', 'azure.workload.identity']) {
      const spec = { initContainers: [{ name: 'migrate' }] }
      expect(warningsFor(pod({ [`${prefix}/skip-containers`]: names }, spec))).toEqual(warnings)
    }
  })
})
