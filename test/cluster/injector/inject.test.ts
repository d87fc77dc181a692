import { readFile } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { READABLE } from '../../../src/cluster/injector/federated-token.ts'
import { inject } from '../../../src/cluster/injector/inject.ts'
import { ROUTING_MODES, SIDECAR_MODES } from '../../../src/lib/sidecar-interface.ts'
import {
  CLIENT,
  TENANT,
  containerOf,
  envOf,
  injected,
  patchFor,
  request,
  type TestContainer,
} from './patched.ts'

const APP: TestContainer = { name: 'app', image: 'app:1' }
/** Without this, pass-through is rejected. */
const SAFE_APP: TestContainer = {
  ...APP,
  securityContext: { allowPrivilegeEscalation: false, runAsUser: 1000 },
}
const pod = (spec: object = {}, metadata: object = {}) => ({
  metadata,
  spec: { containers: [APP], ...spec },
})
const annotated = (annotations: Record<string, string>, spec: object = {}) =>
  pod(spec, { annotations })

const aksVolume = (name: string, path: string) => ({
  name,
  projected: { sources: [{ serviceAccountToken: { path } }] },
})

const HARDENED = {
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
  seccompProfile: { type: 'RuntimeDefault' },
}

const DEFAULT_RESOURCES = {
  requests: { cpu: '10m', memory: '64Mi' },
  limits: { memory: '128Mi' },
}

describe('the sidecar', () => {
  test('is a hardened native sidecar with resources and without a CPU limit', () => {
    expect(containerOf(injected(pod()), 'wimds')).toMatchObject({
      image: 'wimds:test',
      args: ['serve'],
      restartPolicy: 'Always',
      resources: DEFAULT_RESOURCES,
      securityContext: {
        ...HARDENED,
        runAsUser: 1501,
        runAsNonRoot: true,
        capabilities: { drop: ['ALL'] },
      },
    })
  })

  test('keeps its uid whatever the pod’s runAsUser says, unless it is set to none', () => {
    const root = pod({ securityContext: { runAsUser: 0 } })
    expect(containerOf(injected(root), 'wimds').securityContext).toHaveProperty('runAsUser', 1501)
    const none = injected(root, { uid: undefined })
    expect(containerOf(none, 'wimds').securityContext).not.toHaveProperty('runAsUser')
  })

  test('has no probe: none could reach it in a pod whose mesh redirects inbound connections', () => {
    const sidecar = containerOf(injected(pod()), 'wimds')
    expect(Object.keys(sidecar).filter((key) => /probe|lifecycle/i.test(key))).toEqual([])
  })

  const DEFAULT_CPU = { requests: { cpu: '10m' } }
  const DEFAULT_MEMORY = { requests: { memory: '64Mi' }, limits: { memory: '128Mi' } }

  test.each([
    ['of both', { requests: { cpu: '1' }, limits: { memory: '1Gi' } }, {}],
    ['of CPU', { limits: { cpu: 1 } }, DEFAULT_MEMORY],
    ['of memory', { requests: { memory: '1Gi' } }, DEFAULT_CPU],
    ['of huge pages', { limits: { 'hugepages-2Mi': '2Mi' } }, DEFAULT_RESOURCES],
  ])('shares the pod-level resources %s', (_, resources, expected) => {
    const result = injected(pod({ resources }))
    expect(containerOf(result, 'wimds').resources).toEqual(expected)
    expect(containerOf(result, 'wimds-redirect').resources).toEqual(expected)
    expect(result.spec).toHaveProperty('resources', resources)
    expect(patchFor(result)).toEqual([])
  })

  test('has the resources of its annotations beside pod-level resources', () => {
    const resources = { limits: { cpu: '1', memory: '1Gi' } }
    const annotations = { 'wimds.io/cpu-request': '20m', 'wimds.io/memory-request': '80Mi' }
    const result = injected(annotated(annotations, { resources }))
    expect(containerOf(result, 'wimds').resources).toEqual({
      requests: { cpu: '20m', memory: '80Mi' },
    })
  })

  test.each([
    ['writes its request in another form', { cpu: '500m' }, { cpu: '.5' }, true],
    ['has other requests', { cpu: '2e9' }, { cpu: '1e9' }, false],
  ])('keeps the class of a pod that %s', (_, limits, requests, isGuaranteed) => {
    const resources = { limits: { ...limits, memory: '1Gi' }, requests }
    const { resources: own } = containerOf(
      injected(pod({ containers: [{ ...APP, resources }] })),
      'wimds',
    )
    expect(JSON.stringify(own).split('"cpu":"100m"')).toHaveLength(isGuaranteed ? 3 : 1)
  })

  test('takes its identity from the ServiceAccount, and the settings go before it', () => {
    expect(envOf(injected(pod()), 'wimds')).toMatchObject({
      AZURE_CLIENT_ID: CLIENT,
      AZURE_TENANT_ID: TENANT,
    })
    const clientId = '99999999-9999-4999-8999-999999999999'
    expect(envOf(injected(pod(), { clientId }), 'wimds')).toMatchObject({
      AZURE_CLIENT_ID: clientId,
      AZURE_TENANT_ID: TENANT,
    })
  })

  test('gets variables of the settings, each name once', () => {
    const sidecarEnv = [
      { name: 'WIMDS_LOG_LEVEL', value: 'debug' },
      { name: 'WIMDS_LISTEN', value: '127.0.0.1:8000,127.0.0.1:50342' },
    ]
    const { env } = containerOf(injected(pod(), { sidecarEnv }), 'wimds')
    const names = env?.map(({ name }) => name)
    expect(new Set(names).size).toBe(names?.length)
    expect(env).toEqual(expect.arrayContaining(sidecarEnv))
  })

  test('gets the variables of the pod’s annotations in place of variables of the settings', () => {
    const annotations = {
      'wimds.io/mode': 'nft',
      'wimds.io/prefetch': 'https://vault.azure.net',
      'wimds.io/pass-through': '/metadata/instance',
      'wimds.io/identity-header-secret': 'own/header',
      'wimds.io/https-proxy': 'http://own:3128',
      'wimds.io/no-proxy': '.own',
    }
    const names = [
      'WIMDS_PREFETCH',
      'WIMDS_PASS_THROUGH',
      'WIMDS_IDENTITY_HEADER',
      'HTTPS_PROXY',
      'NO_PROXY',
    ]
    const given = annotated(annotations, { containers: [SAFE_APP] })
    const sidecarEnv = names.map((name) => ({ name, value: 'operator' }))
    const env = envOf(injected(given), 'wimds')
    expect(Object.keys(env)).toEqual(expect.arrayContaining(names))
    expect(envOf(injected(given, { sidecarEnv }), 'wimds')).toEqual(env)
  })

  test('follows the pod’s annotations', () => {
    const result = injected(
      annotated({
        'wimds.io/port': '8100',
        'wimds.io/admin-port': '9200',
        'wimds.io/config-map': 'identities',
        'wimds.io/prefetch': 'https://vault.azure.net',
        'wimds.io/memory-request': '256Mi',
        'wimds.io/cpu-limit': '500m',
      }),
    )
    expect(envOf(result, 'wimds')).toMatchObject({
      WIMDS_LISTEN: '127.0.0.1:8100',
      WIMDS_ADMIN_LISTEN: '[::]:9200',
      WIMDS_CONFIG: '/etc/wimds/identities.yaml',
      WIMDS_PREFETCH: 'https://vault.azure.net',
    })
    const sidecar = containerOf(result, 'wimds')
    expect(sidecar.resources).toEqual({
      requests: { cpu: '10m', memory: '256Mi' },
      limits: { cpu: '500m', memory: '256Mi' },
    })
    expect(sidecar.volumeMounts).toContainEqual({
      name: 'wimds-config',
      mountPath: '/etc/wimds',
      readOnly: true,
    })
    expect(result.spec.volumes).toContainEqual({
      name: 'wimds-config',
      configMap: { name: 'identities' },
    })
    expect(containerOf(result, 'wimds-redirect').args).toContain('--port=8100')
  })
})

describe('the CA bundle', () => {
  const FILE = '/etc/ssl/wimds/ca.crt'
  const mount = { name: 'wimds-ca', mountPath: '/etc/ssl/wimds', readOnly: true }
  const items = [{ key: 'ca.crt', path: 'ca.crt' }]
  const settingsCa = { kind: 'ConfigMap', name: 'operator', key: 'ca.crt' } as const

  const otherItems = [{ key: 'bundle.pem', path: 'ca.crt' }]

  test.each([
    ['ca-config-map', 'a', { configMap: { name: 'a', items } }],
    ['ca-config-map', 'a/bundle.pem', { configMap: { name: 'a', items: otherItems } }],
    ['ca-secret', 'a', { secret: { secretName: 'a', items } }],
  ])('of wimds.io/%s: %s is mounted into the sidecar alone', (name, value, source) => {
    const result = injected(annotated({ [`wimds.io/${name}`]: value }))
    expect(result.spec.volumes).toContainEqual({ name: 'wimds-ca', ...source })
    expect(envOf(result, 'wimds')).toMatchObject({ WIMDS_CA_FILE: FILE })
    const mounts = [...(result.spec.initContainers ?? []), ...result.spec.containers]
      .filter(({ volumeMounts }) => volumeMounts?.some((each) => each.name === 'wimds-ca'))
      .map(({ name: container, volumeMounts }) => [container, volumeMounts?.at(-1)])
    expect(mounts).toEqual([['wimds', mount]])
  })

  test('of a pod’s annotation replaces that of the settings, file and variable', () => {
    const sidecarEnv = [{ name: 'WIMDS_CA_FILE', value: '/etc/ssl/other.pem' }]
    const result = injected(annotated({ 'wimds.io/ca-secret': 'own' }), {
      ca: settingsCa,
      sidecarEnv,
    })
    expect(result.spec.volumes?.filter(({ name }) => name === 'wimds-ca')).toEqual([
      { name: 'wimds-ca', secret: { secretName: 'own', items } },
    ])
    expect(envOf(result, 'wimds')).toMatchObject({ WIMDS_CA_FILE: FILE })
  })
})

describe('the HTTP proxy', () => {
  test('may come from a Secret', () => {
    const result = injected(annotated({ 'wimds.io/https-proxy-secret': 'egress' }))
    expect(envOf(result, 'wimds')).toMatchObject({
      HTTPS_PROXY: { secretKeyRef: { name: 'egress', key: 'https-proxy' } },
    })
  })
})

describe('routing', () => {
  test.each(['loopback', 'nft'] as const)(
    'in mode %s the sidecar comes first, and a redirect that waits for it second',
    (mode) => {
      const result = injected(pod({ initContainers: [{ name: 'migrate' }] }), { mode })
      const names = result.spec.initContainers?.map(({ name }) => name)
      expect(names).toEqual(['wimds', 'wimds-redirect', 'migrate'])
      expect(containerOf(result, 'wimds-redirect')).toMatchObject({
        image: 'wimds-redirect:test',
        args: ['redirect', `--mode=${mode}`, '--port=8000', '--wait=300'],
        securityContext: {
          ...HARDENED,
          runAsUser: 0,
          runAsNonRoot: false,
          capabilities: { drop: ['ALL'], add: ['NET_ADMIN'] },
        },
      })
    },
  )

  test('in env mode there is no redirect, and every container gets the variables', () => {
    const result = injected(pod({ initContainers: [{ name: 'migrate' }] }), { mode: 'env' })
    expect(result.spec.initContainers?.map(({ name }) => name)).toEqual(['wimds', 'migrate'])
    for (const name of ['app', 'migrate']) {
      const env = envOf(result, name)
      expect(env).toMatchObject({ AZURE_POD_IDENTITY_AUTHORITY_HOST: 'http://127.0.0.1:8000' })
      expect(env).not.toHaveProperty('IDENTITY_ENDPOINT')
    }
  })

  test('in env mode a header’s secret is shared by reference', () => {
    const result = injected(
      annotated({ 'wimds.io/mode': 'env', 'wimds.io/identity-header-secret': 'wimds/header' }),
    )
    const secret = { secretKeyRef: { name: 'wimds', key: 'header' } }
    expect(envOf(result, 'app')).toMatchObject({
      IDENTITY_ENDPOINT: 'http://127.0.0.1:8000/msi/token',
      IDENTITY_HEADER: secret,
    })
    expect(envOf(result, 'wimds')).toMatchObject({ WIMDS_IDENTITY_HEADER: secret })
  })

  test('pass-through exempts the sidecar’s uid, and only where it is on', () => {
    const on = injected(
      annotated(
        { 'wimds.io/mode': 'nft', 'wimds.io/pass-through': '/metadata/instance' },
        { containers: [SAFE_APP] },
      ),
    )
    const args = containerOf(on, 'wimds-redirect').args ?? []
    expect(args.slice(-2)).toEqual(['--pass-through', '--uid=1501'])
    expect(envOf(on, 'wimds')).toMatchObject({ WIMDS_PASS_THROUGH: '/metadata/instance' })
    const off = injected(pod(), { mode: 'nft' })
    expect(containerOf(off, 'wimds-redirect').args).not.toContain('--pass-through')
  })
})

describe('wimds.io/sdk-credentials', () => {
  const spec = { containers: [APP, { name: 'other' }], initContainers: [{ name: 'migrate' }] }
  const wanted = { 'wimds.io/sdk-credentials': 'managed-identity' }

  test.each(ROUTING_MODES)('lets SDKs use the managed identity alone in mode %s', (mode) => {
    const result = injected(annotated(wanted, spec), { mode })
    for (const name of ['app', 'other', 'migrate']) {
      expect(envOf(result, name)).toMatchObject({
        AZURE_TOKEN_CREDENTIALS: 'prod',
      })
    }
    const added = mode === 'node' ? 'wimds-gate' : 'wimds'
    expect(envOf(result, added)).not.toHaveProperty('AZURE_TOKEN_CREDENTIALS')
    expect(injected(result, { mode })).toEqual(result)
  })

  test.each([
    ['AZURE_CLIENT_SECRET', { env: [{ name: 'AZURE_CLIENT_SECRET', value: 'x' }] }],
    ['AZURE_FEDERATED_TOKEN_FILE', { env: [{ name: 'AZURE_FEDERATED_TOKEN_FILE', value: '/x' }] }],
    ['envFrom', { envFrom: [{ secretRef: { name: 'x' } }] }],
  ])(
    'excludes other credentials by name where prod would prefer %s, with a warning',
    (name, fields) => {
      const given = annotated(wanted, { containers: [{ ...APP, ...fields }] })
      expect(envOf(injected(given), 'app')).toMatchObject({
        AZURE_TOKEN_CREDENTIALS: 'ManagedIdentityCredential',
      })
      expect(inject(request(given))).toMatchObject({
        warnings: [expect.stringMatching(`container app has ${name}, .*azidentity 1\\.10.* Fix: `)],
      })
    },
  )

  test('does nothing to a skipped container, and nothing by default', () => {
    const skipping = { ...wanted, 'wimds.io/skip-containers': 'other' }
    const result = injected(annotated(skipping, spec))
    expect(envOf(result, 'other')).not.toHaveProperty('AZURE_TOKEN_CREDENTIALS')
    expect(envOf(injected(pod()), 'app')).not.toHaveProperty('AZURE_TOKEN_CREDENTIALS')
  })

  test('keeps the value of a container that sets one, with a warning', () => {
    const env = [{ name: 'AZURE_TOKEN_CREDENTIALS', value: 'dev' }]
    const given = annotated(wanted, { containers: [{ ...APP, env }] })
    expect(envOf(injected(given), 'app')).toMatchObject({ AZURE_TOKEN_CREDENTIALS: 'dev' })
    expect(inject(request(given))).toMatchObject({
      warnings: [
        'the container app sets AZURE_TOKEN_CREDENTIALS itself, so wimds.io/sdk-credentials does not change it',
      ],
    })
  })
})

const hook = (...flags: readonly string[]) => ({
  postStart: { exec: { command: ['wimds', 'probe', ...flags] } },
})

describe('the containers after the sidecar', () => {
  test('in mode env are delayed by its start hook until its port accepts connections', () => {
    const result = injected(annotated({ 'wimds.io/mode': 'env', 'wimds.io/port': '8100' }))
    expect(containerOf(result, 'wimds')).toMatchObject({
      restartPolicy: 'Always',
      lifecycle: hook('--port=8100', '--timeout=300', '--listening'),
    })
  })

  test.each(['loopback', 'nft'] as const)('in mode %s need no hook', (mode) => {
    expect(containerOf(injected(pod(), { mode }), 'wimds')).not.toHaveProperty('lifecycle')
  })

  test.each(SIDECAR_MODES)('in mode %s wait for prefetched tokens if they have to', (mode) => {
    const sidecarEnv = [{ name: 'WIMDS_READY_AFTER_PREFETCH', value: 'true' }]
    const result = injected(pod(), { mode, sidecarEnv })
    const { securityContext, resources, image, ...sidecar } = containerOf(result, 'wimds')
    expect(result.spec.initContainers?.at(-1)).toEqual({
      name: 'wimds-wait',
      image,
      args: ['probe', '--port=8000', '--timeout=300'],
      terminationMessagePolicy: 'FallbackToLogsOnError',
      resources,
      securityContext,
    })
    expect(sidecar).not.toHaveProperty('lifecycle')
  })

  test('before Kubernetes 1.29 wait for prefetched tokens in the start hook', () => {
    const sidecarEnv = [{ name: 'WIMDS_READY_AFTER_PREFETCH', value: 'true' }]
    const result = injected(pod(), { hasNativeSidecars: false, sidecarEnv })
    expect(containerOf(result, 'wimds')).toMatchObject({
      lifecycle: hook('--port=8000', '--timeout=300'),
    })
  })
})

describe('NO_PROXY', () => {
  const OURS = '169.254.169.254,localhost,127.0.0.1'
  const both = (...lists: readonly string[]) => {
    const [upper = '', lower = upper] = lists
    return { NO_PROXY: `${upper}${OURS}`, no_proxy: `${lower}${OURS}` }
  }

  test.each<[string, Readonly<Record<string, string>>, object]>([
    ['is added where a proxy is set', { http_proxy: 'http://proxy:3128' }, both('')],
    ['is added to', { NO_PROXY: '.svc' }, both('.svc,')],
    ['keeps the two cases apart', { NO_PROXY: '.one', no_proxy: '.b' }, both('.one,', '.b,')],
  ])('%s', (_, variables, expected) => {
    const env = Object.entries(variables).map(([name, value]) => ({ name, value }))
    const result = injected(pod({ containers: [{ ...APP, env }] }))
    expect(envOf(result, 'app')).toMatchObject(expected)
  })

  test('from a ConfigMap is not changed, with a warning', () => {
    const valueFrom = { configMapKeyRef: { name: 'proxy', key: 'none' } }
    const env = [{ name: 'NO_PROXY', valueFrom }]
    const given = pod({
      containers: [{ ...APP, env }],
      initContainers: [{ name: 'migrate', env }],
    })
    expect(envOf(injected(given), 'app')).toEqual({ NO_PROXY: valueFrom })
    expect(inject(request(given))).toMatchObject({
      warnings: [
        expect.stringContaining('migrate takes NO_PROXY from a ConfigMap or Secret'),
        expect.stringContaining('app takes NO_PROXY from a ConfigMap or Secret'),
      ],
    })
  })

  test('is not added where no proxy is set, unless the settings say so', () => {
    expect(containerOf(injected(pod()), 'app')).toEqual(APP)
    const always = { alwaysSetsNoProxy: true }
    expect(envOf(injected(pod(), always), 'app')).toEqual({ NO_PROXY: OURS, no_proxy: OURS })
  })

  test.each([
    [
      'nothing',
      [],
      { NO_PROXY: `$(NO_PROXY),$(no_proxy),${OURS}`, no_proxy: `$(no_proxy),$(NO_PROXY),${OURS}` },
    ],
    [
      'NO_PROXY',
      [{ name: 'NO_PROXY', value: '.svc' }],
      { NO_PROXY: `.svc,${OURS}`, no_proxy: `$(no_proxy),.svc,${OURS}` },
    ],
  ])('extends what envFrom sets in a container that sets %s itself', (_, env, expected) => {
    const envFrom = [{ configMapRef: { name: 'proxy' } }]
    const given = pod({ containers: [{ ...APP, env, envFrom }] })
    expect(envOf(injected(given), 'app')).toEqual(expected)
    expect(inject(request(given))).toMatchObject({ warnings: [] })
  })

  test('and the whole environment of a skipped container are not changed', () => {
    const skip = annotated({ 'wimds.io/skip-containers': 'app; other' })
    expect(envOf(injected(skip, { mode: 'env' }), 'app')).toEqual({})
  })
})

describe('the projected token', () => {
  test('gets a volume with audience and expiry, without a mode or an fsGroup', () => {
    const result = injected(pod())
    const serviceAccountToken = {
      audience: 'api://AzureADTokenExchange',
      expirationSeconds: 3600,
      path: 'token',
    }
    expect(result.spec.volumes).toEqual([
      { name: 'wimds-token', projected: { sources: [{ serviceAccountToken }] } },
    ])
    expect(result.spec.securityContext).toBeUndefined()
    expect(envOf(result, 'wimds')).toMatchObject({
      AZURE_FEDERATED_TOKEN_FILE: '/var/run/secrets/wimds/token',
    })
  })

  test('is valid as long as the annotation of azure-workload-identity says', () => {
    const annotations = { 'azure.workload.identity/service-account-token-expiration': '7200' }
    expect(injected(annotated(annotations)).spec.volumes).toMatchObject([
      { projected: { sources: [{ serviceAccountToken: { expirationSeconds: 7200 } }] } },
    ])
  })

  const SINCE_1_6 = 'azure-workload-identity-reserved-abc'
  const azure = '/var/run/secrets/azure'

  test.each([
    ['before 1.6', 'azure-identity-token', `${azure}/tokens`, 'azure-identity-token'],
    ['since 1.6', SINCE_1_6, `${azure}/wi`, 'token/azure-identity-token'],
  ])('is the one of the AKS webhook %s, with its variables', (_, name, mountPath, path) => {
    const file = `${mountPath}/${path}`
    const env = [
      { name: 'AZURE_FEDERATED_TOKEN_FILE', value: file },
      { name: 'AZURE_AUTHORITY_HOST', value: 'https://login.microsoftonline.us/' },
      { name: 'AZURE_KUBERNETES_TOKEN_PROXY', value: 'https://proxy' },
    ]
    const mount = { name, mountPath, readOnly: true }
    const result = injected(
      pod({
        containers: [{ ...APP, env, volumeMounts: [mount] }],
        volumes: [aksVolume(name, path)],
      }),
    )
    expect(result.spec.volumes).toHaveLength(1)
    expect(containerOf(result, 'wimds').volumeMounts).toEqual([mount])
    expect(envOf(result, 'wimds')).toMatchObject({
      AZURE_FEDERATED_TOKEN_FILE: file,
      AZURE_AUTHORITY_HOST: 'https://login.microsoftonline.us/',
      AZURE_KUBERNETES_TOKEN_PROXY: 'https://proxy',
    })
  })

  test('comes with a second one for direct federation in another volume', () => {
    const binding = {
      name: 'azure-identity-token',
      mountPath: '/var/run/secrets/azure/tokens',
      readOnly: true,
    }
    const federation = {
      name: 'federation-token',
      mountPath: '/var/run/secrets/federation',
      readOnly: true,
    }
    const other = { name: 'aws-token', mountPath: '/var/run/secrets/aws', readOnly: true }
    const file = `${binding.mountPath}/azure-identity-token`
    const env = [{ name: 'AZURE_FEDERATED_TOKEN_FILE', value: file }]
    const result = injected(
      pod({
        containers: [{ ...APP, env, volumeMounts: [binding, federation, other] }],
        volumes: [
          aksVolume('azure-identity-token', 'azure-identity-token'),
          tokenVolume('federation-token', 'api://AzureADTokenExchange'),
          tokenVolume('aws-token', 'sts.amazonaws.com'),
        ],
      }),
    )
    expect(containerOf(result, 'wimds').volumeMounts).toEqual([binding, federation])
  })

  test('gets a volume of the injector if the variable names a file that the pod does not project', () => {
    const env = [{ name: 'AZURE_FEDERATED_TOKEN_FILE', value: '/etc/token' }]
    const result = injected(pod({ containers: [{ ...APP, env }] }))
    expect(result.spec.volumes?.map(({ name }) => name)).toEqual(['wimds-token'])
  })

  describe('of a volume of the pod', () => {
    const OWN = { name: 'tokens', mountPath: '/var/run/secrets/wimds', readOnly: true }
    const serviceAccountTokens = ['vault/token', 'azure/token'].map((path) => ({
      serviceAccountToken: { path },
    }))
    const volumes = [{ name: 'tokens', projected: { sources: serviceAccountTokens } }]
    const mounting = (file: string, ...volumeMounts: readonly object[]) => {
      const env = [{ name: 'AZURE_FEDERATED_TOKEN_FILE', value: file }]
      return pod({ containers: [{ ...APP, env, volumeMounts }], volumes })
    }

    const partly = { mountPath: '/var/run/secrets/azure', subPath: 'azure' }

    test.each([
      ['mounted elsewhere', '/mnt/tokens/azure/token', { mountPath: '/mnt/tokens' }],
      ['mounted in part', '/mnt/token', { mountPath: '/mnt', subPath: 'azure' }],
      // The kubelet never renews what is mounted by a subPath.
      ['mounted in part where the image may read', '/var/run/secrets/azure/token', partly],
      ['mounted as a file', '/mnt/token', { mountPath: '/mnt/token', subPath: 'azure/token' }],
    ])('is mounted whole where the image may read it: %s', (_, file, mount) => {
      const result = injected(mounting(file, { name: 'tokens', ...mount }))
      expect(containerOf(result, 'wimds').volumeMounts).toEqual([OWN])
      expect(envOf(result, 'wimds')).toMatchObject({
        AZURE_FEDERATED_TOKEN_FILE: '/var/run/secrets/wimds/azure/token',
      })
      expect(result.spec.volumes).toEqual(volumes)
      expect(patchFor(result)).toEqual([])
    })

    test('is used at its mount path if the image may read it there', () => {
      const mount = { name: 'tokens', mountPath: '/run/secrets/tokens' }
      const result = injected(mounting('/run/secrets/tokens/azure/token', mount))
      expect(containerOf(result, 'wimds').volumeMounts).toEqual([mount])
      expect(envOf(result, 'wimds')).toMatchObject({
        AZURE_FEDERATED_TOKEN_FILE: '/run/secrets/tokens/azure/token',
      })
    })

    test('gets a volume of the injector for a path that only the kubelet knows', () => {
      const mount = { name: 'tokens', mountPath: '/mnt', subPathExpr: '$(WHICH)' }
      const result = injected(mounting('/mnt/token', mount))
      expect(result.spec.volumes?.map(({ name }) => name)).toEqual(['tokens', 'wimds-token'])
    })
  })

  test('is where the permissions of the image let Node read', async () => {
    const dockerfile = await readFile('Dockerfile', 'utf8')
    for (const directory of [...READABLE, '/etc/ssl']) {
      expect(dockerfile).toContain(` --allow-fs-read=${directory} `)
    }
  })
})

describe('before Kubernetes 1.29', () => {
  const classic = { hasNativeSidecars: false }

  test('the sidecar is a container that drains, and comes first', () => {
    const result = injected(pod(), classic)
    expect(result.spec.containers.map(({ name }) => name)).toEqual(['wimds', 'app'])
    expect(result.spec.initContainers?.map(({ name }) => name)).toEqual(['wimds-redirect'])
    expect(containerOf(result, 'wimds-redirect').args).toEqual([
      'redirect',
      '--mode=loopback',
      '--port=8000',
    ])
    expect(containerOf(result, 'wimds')).not.toHaveProperty('restartPolicy')
    expect(envOf(result, 'wimds')).toMatchObject({ WIMDS_DRAIN: '10s' })
    expect(patchFor(result, classic)).toEqual([])
  })

  test('a start hook delays the containers after it until the sidecar answers', () => {
    expect(containerOf(injected(pod(), classic), 'wimds')).toMatchObject({
      lifecycle: {
        postStart: {
          exec: { command: ['wimds', 'probe', '--port=8000', '--timeout=300', '--listening'] },
        },
      },
    })
  })

  test('init containers are warned of', () => {
    const given = request(pod({ initContainers: [{ name: 'migrate' }] }), classic)
    expect(inject(given)).toMatchObject({ warnings: [expect.stringContaining('init containers')] })
  })
})

describe('injecting again', () => {
  test('sets the variables of a container that was added later', () => {
    const once = injected(pod(), { mode: 'env' })
    const containers = [...once.spec.containers, { name: 'late' }]
    const twice = injected({ ...once, spec: { ...once.spec, containers } }, { mode: 'env' })
    expect(envOf(twice, 'late')).toHaveProperty('AZURE_POD_IDENTITY_AUTHORITY_HOST')
  })

  test('takes the token that the AKS webhook has added since', () => {
    const mount = { name: 'azure-identity-token', mountPath: '/var/run/secrets/azure/tokens' }
    const file = '/var/run/secrets/azure/tokens/azure-identity-token'
    const env = [{ name: 'AZURE_FEDERATED_TOKEN_FILE', value: file }]
    const added = aksVolume('azure-identity-token', 'azure-identity-token')
    const once = injected(pod())
    const containers = once.spec.containers.map((each) => ({
      ...each,
      env: [...(each.env ?? []), ...env],
      volumeMounts: [mount],
    }))
    const volumes = [...(once.spec.volumes ?? []), added]
    const twice = injected({ ...once, spec: { ...once.spec, containers, volumes } })
    expect(envOf(twice, 'wimds')).toMatchObject({ AZURE_FEDERATED_TOKEN_FILE: file })
    expect(twice.spec.volumes).toEqual([added])
  })

  test('with a newer image patches the init containers alone', () => {
    const patch = patchFor(injected(pod()), { image: 'wimds:newer' })
    expect(patch.map(({ path }) => path)).toEqual(['/spec/initContainers'])
  })
})

function tokenVolume(name: string, audience: string) {
  const serviceAccountToken = { audience, path: 'token' }
  return { name, projected: { sources: [{ serviceAccountToken }] } }
}
