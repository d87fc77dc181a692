/** Pods that are rejected, each with its fix, and warnings. */
import { describe, expect, test } from 'vitest'
import { inject } from '../../../src/cluster/injector/inject.ts'
import { envOf, injected, reasonsFor, request, SERVICE_ACCOUNT, settings } from './patched.ts'

const USE = { 'azure.workload.identity/use': 'true' }
const PROXY = 'azure.workload.identity/inject-proxy-sidecar'
const APP = { name: 'app' }
const pod = (metadata: object, spec: object = {}) => ({
  metadata,
  spec: { containers: [APP], ...spec },
})
const passThrough = { 'wimds.io/pass-through': '/metadata/instance' }
const nft = { 'wimds.io/mode': 'nft' }

/** The reasons for a container with pass-through that runs no setuid program, unless its context says otherwise. */
const setuid = (context: object, podContext: object = {}) =>
  reasonsFor(
    pod(
      { annotations: { ...passThrough, ...nft } },
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

describe('a pod is rejected with a fix for', () => {
  const env = { 'wimds.io/mode': 'env' }

  test.each<[string, Record<string, string>, object, string]>([
    ['hostNetwork', {}, { hostNetwork: true }, 'remove hostNetwork'],
    ['Windows by os', env, { os: { name: 'windows' } }, 'the pod runs on Windows'],
    [
      'Windows by node selector',
      nft,
      { nodeSelector: { 'kubernetes.io/os': 'windows' } },
      'the pod runs on Windows',
    ],
    [
      'Windows by the old label of nodes',
      {},
      { nodeSelector: { 'beta.kubernetes.io/os': 'windows' } },
      'the pod runs on Windows',
    ],
    [
      'azwi-proxy',
      {},
      { containers: [APP, { name: 'azwi-proxy' }] },
      'already has the container azwi-proxy',
    ],
    [
      'a container of a reserved name',
      {},
      { containers: [APP, { name: 'wimds' }] },
      'a container wimds that the annotation wimds.io/injected does not record',
    ],
    [
      'a volume of a reserved name',
      {},
      { volumes: [{ name: 'wimds-token', emptyDir: {} }] },
      'a volume wimds-token, a reserved name. Fix: rename it',
    ],
    [
      'a volume of the name of the identities file',
      {},
      { volumes: [{ name: 'wimds-config', configMap: { name: 'theirs' } }] },
      'a volume wimds-config',
    ],
    [
      'a volume of the name of the CA',
      {},
      { volumes: [{ name: 'wimds-ca', emptyDir: {} }] },
      'a volume wimds-ca',
    ],
    [
      'an app on the sidecar’s port',
      {},
      container({ ports: [{ containerPort: 8000 }] }),
      'the container app declares port 8000, on which the sidecar would listen. Fix: set the annotation wimds.io/port to another port',
    ],
    [
      'an app on the admin port',
      {},
      container({ ports: [{ containerPort: 9169 }] }),
      'set the annotation wimds.io/admin-port',
    ],
    ['one port for both', { 'wimds.io/port': '9169' }, {}, 'are both 9169'],
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
      'Fix: set another runAsUser',
    ],
    [
      'a variable that leads SDKs to another endpoint',
      env,
      container({ env: [{ name: 'MSI_ENDPOINT', value: 'http://x' }] }),
      'the container app sets MSI_ENDPOINT',
    ],
    [
      'the protocol of Azure Arc in any mode',
      nft,
      container({ env: [{ name: 'IMDS_ENDPOINT', value: 'http://x' }] }),
      'the container app sets IMDS_ENDPOINT',
    ],
    [
      'the protocol of Service Fabric in any mode',
      {},
      container({ env: [{ name: 'IDENTITY_SERVER_THUMBPRINT', value: 'x' }] }),
      'Fix: remove the variable, or list the container in wimds.io/skip-containers',
    ],
    [
      'a memory request above its limit',
      { 'wimds.io/memory-request': '1Gi', 'wimds.io/memory-limit': '512Mi' },
      {},
      'the memory request 1Gi is above its limit 512Mi',
    ],
    ['no containers', {}, { containers: [] }, 'spec.containers must not be empty'],
  ])('%s', (_, annotations, spec, message) => {
    expect(reasonsFor(pod({ annotations }, spec))).toEqual([expect.stringContaining(message)])
  })

  test.each(['NO_PROXY', 'no_proxy', 'AZURE_POD_IDENTITY_AUTHORITY_HOST', 'IDENTITY_ENDPOINT'])(
    'a variable that injection sets and the container sets twice: %s',
    (name) => {
      const twice = container({
        env: [
          { name, value: 'a' },
          { name, value: 'b' },
        ],
      })
      const annotations = { ...env, 'wimds.io/identity-header-secret': 'header' }
      expect(reasonsFor(pod({ annotations }, twice))).toContain(
        `the container app sets ${name} 2 times. Fix: set it once`,
      )
    },
  )

  test('a pod whose patch would be larger than 1 MiB', () => {
    const large = { env: [{ name: 'HTTP_PROXY', value: 'x'.repeat(2 ** 20) }] }
    expect(reasonsFor(pod({}, container(large)))).toEqual([
      expect.stringMatching(/^the patch would have 1\d{6} bytes, and the limit is 1048576\. Fix: /),
    ])
  })

  test('a mode that the operator does not allow', () => {
    const allowedModes = ['env', 'loopback'] as const
    const reason = 'mode nft is not allowed here. Fix: set wimds.io/mode to env or loopback'
    expect(reasonsFor(pod({ annotations: nft }), { allowedModes })).toEqual([reason])
    const earlier = { 'wimds.io/injected': '{"mode":"nft"}' }
    expect(reasonsFor(pod({ annotations: earlier }), { allowedModes })).toEqual([reason])
    expect(reasonsFor(pod({ annotations: env }), { allowedModes })).toEqual([])
  })

  test('pass-through if the operator does not allow it', () => {
    const annotations = { ...passThrough, ...nft }
    const spec = container({
      securityContext: { allowPrivilegeEscalation: false, runAsUser: 1000 },
    })
    expect(reasonsFor(pod({ annotations }, spec))).toEqual([])
    expect(reasonsFor(pod({ annotations }, spec), { allowPassThrough: false })).toEqual([
      'pass-through is not allowed here. Fix: remove wimds.io/pass-through',
    ])
  })

  describe('with pass-through a container that may take the sidecar’s uid', () => {
    test.each<[string, object, object]>([
      ['leaves its user to its image', {}, {}],
      ['leaves its user to its image, and drops all', drop('ALL'), {}],
      ['leaves it to its image not to be root', { runAsNonRoot: true }, { runAsNonRoot: true }],
    ])('is rejected: one that %s', (_, context, podContext) => {
      expect(setuid(context, podContext)).toEqual([
        'the container app has no runAsUser, so its image may run as uid 1501, which pass-through exempts from the redirect. Fix: set another runAsUser',
      ])
    })

    test.each<[string, object, object]>([
      ['runs as root', { runAsUser: 0 }, {}],
      ['drops another capability', { runAsUser: 0, ...drop('NET_RAW') }, {}],
      ['overrides the pod’s user', { runAsUser: 0 }, { runAsNonRoot: true, runAsUser: 1000 }],
      [
        'drops all and adds SETUID',
        { runAsUser: 1000, capabilities: { drop: ['ALL'], add: ['SETUID'] } },
        {},
      ],
    ])('is rejected: one that %s', (_, context, podContext) => {
      expect(setuid(context, podContext)).toEqual([
        expect.stringMatching(/^the container app keeps the capability SETUID.* Fix: drop it, or/),
      ])
    })

    test.each<[string, object, object]>([
      ['drops all', { runAsUser: 0, ...drop('ALL') }, {}],
      ['drops SETUID', { runAsUser: 0, ...drop('NET_RAW', 'SETUID') }, {}],
      ['drops CAP_SETUID', { runAsUser: 0, ...drop('CAP_SETUID') }, {}],
      ['runs as another user', { runAsUser: 1000 }, {}],
      ['runs as the pod’s user', {}, { runAsUser: 1000 }],
    ])('is accepted: one that %s', (_, context, podContext) => {
      expect(setuid(context, podContext)).toEqual([])
    })

    test.each<[string, object]>([
      ['drops all, which setuid files of that uid do not need', { runAsUser: 0, ...drop('ALL') }],
      ['runs as another user', { runAsUser: 1000 }],
    ])('is rejected with setuid programs: one that %s', (_, context) => {
      const reason =
        'the container app may run a setuid program and so take uid 1501, which pass-through exempts from the redirect. Fix: set allowPrivilegeEscalation: false'
      for (const allowPrivilegeEscalation of [undefined, null, true]) {
        expect(setuid({ ...context, allowPrivilegeEscalation })).toEqual([reason])
      }
    })

    test('is rejected if it is privileged, whatever it drops', () => {
      expect(setuid({ privileged: true, runAsUser: 0, ...drop('ALL') })).toEqual([
        'the container app is privileged, so it may take uid 1501, which pass-through exempts from the redirect. Fix: remove privileged',
      ])
    })

    test('is rejected with all that it has to set', () => {
      const context = { securityContext: { runAsUser: 0 } }
      const annotations = { ...passThrough, ...nft }
      expect(reasonsFor(pod({ annotations }, container(context)))).toEqual([
        expect.stringContaining('Fix: set allowPrivilegeEscalation: false'),
        expect.stringContaining('Fix: drop it, or do not add it and set a runAsUser other than 0'),
      ])
    })
  })

  test.each<[string, object, object, string]>([
    ['that is azwi-proxy-init', {}, { name: 'azwi-proxy-init' }, 'has the container azwi-proxy'],
    ['on the sidecar’s port', {}, { ports: [{ containerPort: 8000 }] }, 'declares port 8000'],
    [
      'that may take the exempt uid',
      { ...passThrough, ...nft },
      { securityContext: { privileged: true, runAsUser: 0 } },
      'the container migrate is privileged',
    ],
    [
      'with another endpoint',
      env,
      { env: [{ name: 'MSI_ENDPOINT', value: 'http://x' }] },
      'the container migrate sets MSI_ENDPOINT',
    ],
  ])('an init container %s', (_, annotations, more, message) => {
    const securityContext = { allowPrivilegeEscalation: false, runAsUser: 1000 }
    const spec = {
      ...container({ securityContext }),
      initContainers: [{ name: 'migrate', ...more }],
    }
    expect(reasonsFor(pod({ annotations }, spec))).toEqual([expect.stringContaining(message)])
  })

  test('but a skipped container may set such a variable', () => {
    const annotations = { ...env, 'wimds.io/skip-containers': 'app' }
    const spec = container({ env: [{ name: 'MSI_ENDPOINT', value: 'http://x' }] })
    expect(reasonsFor(pod({ annotations }, spec))).toEqual([])
  })

  describe('but not for endpoint variables in mode env', () => {
    const header = { 'wimds.io/identity-header-secret': 'header' }

    test.each<[string, Readonly<Record<string, string>>]>([
      ['imds', { AZURE_POD_IDENTITY_AUTHORITY_HOST: 'http://localhost:8000' }],
      ['app-service-2017', { MSI_ENDPOINT: 'http://127.0.0.1:8000/msi/token', MSI_SECRET: 's' }],
      [
        'azure-ml',
        {
          MSI_ENDPOINT: 'http://localhost:8000/msi/token',
          MSI_SECRET: 's',
          DEFAULT_IDENTITY_CLIENT_ID: 'c',
        },
      ],
      ['cloud-shell', { MSI_ENDPOINT: 'http://127.0.0.1:8000/oauth2/token' }],
      ['double slashes', { MSI_ENDPOINT: 'http://127.0.0.1:8000//oauth2//token/' }],
      [
        'app-service',
        { IDENTITY_ENDPOINT: 'http://localhost:8000/msi/token', IDENTITY_HEADER: 's' },
      ],
      [
        'app-service, as injection sets it but for the secret',
        { IDENTITY_HEADER: 's', IDENTITY_ENDPOINT: 'http://127.0.0.1:8000/msi/token' },
      ],
    ])('of the set %s that lead to the sidecar', (_, values) => {
      const own = pod({ annotations: { ...env, ...header } }, withVariables(values))
      expect(reasonsFor(own)).toEqual([])
      const result = injected(own)
      expect(envOf(result, 'app')).toMatchObject(values)
      // The webhook may be called again.
      expect(envOf(injected(result), 'app')).toEqual(envOf(result, 'app'))
    })

    test.each([
      [
        'another port',
        { ...header, 'wimds.io/port': '8001' },
        { MSI_ENDPOINT: 'http://127.0.0.1:8000/oauth2/token' },
        'and SDKs that read it never ask the sidecar',
      ],
      [
        'a secret that the sidecar does not have',
        {},
        { IDENTITY_ENDPOINT: 'http://127.0.0.1:8000/msi/token', IDENTITY_HEADER: 's' },
        'sets IDENTITY_ENDPOINT, and the sidecar has no secret for it. Fix: name its Secret in wimds.io/identity-header-secret',
      ],
      [
        'a secret for Cloud Shell that the sidecar does not have',
        {},
        { MSI_ENDPOINT: 'http://127.0.0.1:8000/oauth2/token', MSI_SECRET: 's' },
        'sets MSI_SECRET, and the sidecar has no secret for it',
      ],
      [
        'a path of no protocol',
        header,
        { MSI_ENDPOINT: 'http://127.0.0.1:8000/msi', MSI_SECRET: 's' },
        'sets MSI_ENDPOINT, and SDKs that read it never ask the sidecar. Fix: remove the variable, set it to http://127.0.0.1:8000/msi/token or http://127.0.0.1:8000/oauth2/token, or list',
      ],
      [
        'the path of another protocol',
        header,
        { IDENTITY_ENDPOINT: 'http://127.0.0.1:8000/oauth2/token' },
        'set it to http://127.0.0.1:8000/msi/token, or list',
      ],
      [
        'a path that SDKs add',
        {},
        {
          AZURE_POD_IDENTITY_AUTHORITY_HOST: 'http://127.0.0.1:8000/metadata/identity/oauth2/token',
        },
        'set it to http://127.0.0.1:8000, or list',
      ],
    ])('unless they have %s', (_, annotations, values, reason) => {
      expect(
        reasonsFor(pod({ annotations: { ...env, ...annotations } }, withVariables(values))),
      ).toEqual([expect.stringContaining(reason)])
    })

    test.each([
      ['of another Secret', { name: 'other', key: 'identity-header' }],
      ['of another key', { name: 'header', key: 'other' }],
    ])('unless their secret is that %s', (_, secretKeyRef) => {
      const variables = [
        { name: 'MSI_ENDPOINT', value: 'http://127.0.0.1:8000/msi/token' },
        { name: 'MSI_SECRET', valueFrom: { secretKeyRef } },
        { name: 'IDENTITY_HEADER', valueFrom: { secretKeyRef } },
      ]
      const given = pod({ annotations: { ...env, ...header } }, container({ env: variables }))
      const reason =
        'to another secret than that of the sidecar. Fix: take both from one key of one Secret, which wimds.io/identity-header-secret names'
      expect(reasonsFor(given)).toEqual([
        `the container app sets IDENTITY_HEADER ${reason}`,
        `the container app sets MSI_SECRET ${reason}`,
      ])
    })

    test('with the secret of the sidecar, however the reference is written', () => {
      const secretKeyRef = { optional: false, key: 'identity-header', name: 'header' }
      const variables = [
        { name: 'MSI_ENDPOINT', value: 'http://127.0.0.1:8000/msi/token/' },
        { name: 'MSI_SECRET', valueFrom: { secretKeyRef } },
      ]
      const given = pod({ annotations: { ...env, ...header } }, container({ env: variables }))
      expect(reasonsFor(given)).toEqual([])
    })

    test('unless the operator gives the sidecar another value', () => {
      const sidecarEnv = [{ name: 'WIMDS_IDENTITY_HEADER', value: 'theirs' }]
      const reasons = (value: string) =>
        reasonsFor(pod({ annotations: env }, withVariables({ IDENTITY_HEADER: value })), {
          sidecarEnv,
        })
      expect(reasons('mine')).toEqual([
        expect.stringContaining('sets IDENTITY_HEADER to another secret'),
      ])
      expect(reasons('theirs')).toEqual([])
      expect(reasons('$(THEIRS)')).toEqual([])
    })
  })

  test.each([
    ['the address of a user', 'http://$(USER)@127.0.0.1:8000/oauth2/token'],
    ['a host for SDKs in Python', String.raw`http://127.0.0.1:8000\@example.com/`],
    ['no host for SDKs in Python', 'http:127.0.0.1:8000/oauth2/token'],
    ['IPv6, on which the sidecar does not listen', 'http://[::1]:8000/oauth2/token'],
    ['another host', 'http://127.0.0.1:8000.example.com/'],
    ['another port', 'http://127.0.0.1:80001/'],
  ])('an endpoint in mode env with %s', (_, value) => {
    const spec = withVariables({ MSI_ENDPOINT: value })
    expect(reasonsFor(pod({ annotations: env }, spec))).toEqual([
      expect.stringContaining('and SDKs that read it never ask the sidecar'),
    ])
  })

  test('but an app may run as the sidecar’s uid without pass-through', () => {
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
      expect.stringContaining('would never complete with a sidecar before Kubernetes 1.29'),
    ])
  })

  test('a pod that the webhook of azure-workload-identity would inject as well', () => {
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

test.each([
  ['prefetch', 'https://a https://b', 'WIMDS_PREFETCH: must be a resource'],
  ['pass-through', '/metadata/identity', 'cannot be forwarded'],
])('a pod whose wimds.io/%s its sidecar would not start with is refused', (name, value, reason) => {
  const annotations = { [`wimds.io/${name}`]: value, 'wimds.io/mode': 'nft' }
  expect(reasonsFor(pod({ annotations })).join()).toContain(reason)
})

test('a client id that a container gives is not blamed on the ServiceAccount', () => {
  const spec = withVariables({ AZURE_FEDERATED_TOKEN_FILE: '/t', AZURE_CLIENT_ID: 'orders' })
  const [, ...tenant] = Object.entries(SERVICE_ACCOUNT)
  const own = { ...request(pod({}, spec)), serviceAccount: Object.fromEntries(tenant) }
  expect(inject(own)).toMatchObject({
    reasons: ['the sidecar would not start with AZURE_CLIENT_ID: must be a GUID, not "orders"'],
  })
})

test('a variable with $(NAME) is not validated', () => {
  const sidecarEnv = [
    { name: 'REGION', value: 'westeurope' },
    { name: 'AZURE_REGIONAL_AUTHORITY_NAME', value: '$(REGION)' },
  ]
  expect(inject(request(pod({}), { sidecarEnv })).kind).toBe('injected')
  const wrong = [{ name: 'AZURE_REGIONAL_AUTHORITY_NAME', value: 'West Europe' }]
  expect(inject(request(pod({}), { sidecarEnv: wrong })).kind).toBe('rejected')
})

const withEnv = (name: string, value: string) =>
  pod({}, { containers: [{ name: 'app', env: [{ name, value }] }] })

describe('a warning', () => {
  test.each(['loopback', 'nft'] as const)(
    'names a variable that leads SDKs past the redirect of mode %s',
    (mode) => {
      for (const name of ['IDENTITY_ENDPOINT', 'MSI_ENDPOINT', 'AZURE_POD_IDENTITY_AUTHORITY_HOST'])
        expect(
          inject(request(withEnv(name, 'http://127.0.0.1:41000/msi/token'), { mode })),
        ).toMatchObject({
          warnings: [
            expect.stringContaining(
              `the container app sets ${name}, and SDKs that read it never ask the sidecar. Fix: remove the variable`,
            ),
          ],
        })
    },
  )

  test.each([
    ['http://169.254.169.254/metadata/identity/oauth2/token'],
    ['http://169.254.169.254:80/metadata/identity/oauth2/token'],
    ['http://localhost:8000/oauth2/token'],
    ['HTTP://LocalHost:8000/OAuth2/Token/'],
    [''],
  ])('is not given for the endpoint %s, which leads to the sidecar or nowhere', (value) => {
    expect(inject(request(withEnv('MSI_ENDPOINT', value)))).toMatchObject({ warnings: [] })
  })

  test.each([
    ['http://127.0.0.1:8000/msi', ', and SDKs that read it never ask the sidecar'],
    ['http://169.254.169.254/msi/token', ', and the sidecar has no secret for it'],
  ])('names the endpoint %s, from which SDKs get an error', (value, reason) => {
    expect(inject(request(withEnv('MSI_ENDPOINT', value)))).toMatchObject({
      warnings: [expect.stringContaining(`the container app sets MSI_ENDPOINT${reason}`)],
    })
  })

  test.each([
    ['app', []],
    ['app, migrate; ', []],
    ['ap', ['wimds.io/skip-containers lists ap, and the pod has no such container']],
  ])('names each of the skipped containers %s that does not exist', (names, warnings) => {
    for (const prefix of ['wimds.io', 'azure.workload.identity']) {
      const annotations = { [`${prefix}/skip-containers`]: names }
      const spec = { initContainers: [{ name: 'migrate' }] }
      expect(inject(request(pod({ annotations }, spec)))).toMatchObject({ warnings })
    }
  })
})
