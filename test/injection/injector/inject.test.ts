import { readFile } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { READABLE } from '../../../src/injection/injector/federated-token.ts'
import {
  INJECTION_DEFAULTS,
  type InjectionSettings,
} from '../../../src/injection/injector/injection-settings.ts'
import { SIDECAR_MODES } from '../../../src/lib/sidecar-interface.ts'
import {
  APP,
  CLIENT,
  TENANT,
  containerOf,
  envOf,
  injected,
  patchFor,
  pod,
  type InjectedPod,
  type TestContainer,
  warningsFor,
} from './patched.ts'

const MIGRATE = { name: 'migrate' }
const withSpec = (spec: object) => pod({}, spec)
/** Returns a pod whose container has more fields. */
const podOf = (fields: object) => withSpec({ containers: [{ ...APP, ...fields }] })
const variables = (values: Readonly<Record<string, string>>) =>
  Object.entries(values).map(([name, value]) => ({ name, value }))

const sidecarOf = (given: object, settings: Partial<InjectionSettings> = {}) =>
  containerOf(injected(given, settings), 'wimds')
const sidecarEnvOf = (given: object, settings: Partial<InjectionSettings> = {}) =>
  envOf(injected(given, settings), 'wimds')
const namesOf = (list: readonly { readonly name: string }[] = []) => list.map(({ name }) => name)
const initNamesOf = ({ spec }: InjectedPod) => namesOf(spec.initContainers)

const HARDENED = {
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
  seccompProfile: { type: 'RuntimeDefault' },
}

const DEFAULT_CPU = { requests: { cpu: '10m' } }
const DEFAULT_MEMORY = { requests: { memory: '64Mi' }, limits: { memory: '128Mi' } }
const DEFAULT_RESOURCES = {
  requests: { cpu: '10m', memory: '64Mi' },
  limits: { memory: '128Mi' },
}

describe('the sidecar', () => {
  test('is a hardened native sidecar with resources and without a CPU limit', () => {
    expect(sidecarOf(pod())).toMatchObject({
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
    const root = withSpec({ securityContext: { runAsUser: 0 } })
    expect(sidecarOf(root).securityContext).toHaveProperty('runAsUser', 1501)
    expect(sidecarOf(root, { uid: undefined }).securityContext).not.toHaveProperty('runAsUser')
  })

  test('has no probe: none could reach it in a pod whose mesh redirects inbound connections', () => {
    const fields = Object.keys(sidecarOf(pod()))
    expect(fields.filter((key) => /probe|lifecycle/i.test(key))).toEqual([])
  })

  test.each([
    ['of both', { requests: { cpu: '1' }, limits: { memory: '1Gi' } }, {}],
    ['of CPU', { limits: { cpu: 1 } }, DEFAULT_MEMORY],
    ['of memory', { requests: { memory: '1Gi' } }, DEFAULT_CPU],
    ['of huge pages', { limits: { 'hugepages-2Mi': '2Mi' } }, DEFAULT_RESOURCES],
  ])('shares the pod-level resources %s', (_, resources, expected) => {
    const result = injected(withSpec({ resources }))
    expect(containerOf(result, 'wimds').resources).toEqual(expected)
    expect(containerOf(result, 'wimds-redirect').resources).toEqual(expected)
    expect(result.spec).toHaveProperty('resources', resources)
    expect(patchFor(result)).toEqual([])
  })

  test('has the resources of its annotations, also with pod-level resources', () => {
    const resources = { limits: { cpu: '1', memory: '1Gi' } }
    const annotations = { 'wimds.io/cpu-request': '20m', 'wimds.io/memory-request': '80Mi' }
    expect(sidecarOf(pod(annotations, { resources })).resources).toEqual({
      requests: { cpu: '20m', memory: '80Mi' },
    })
  })

  test.each([
    ['writes its request in another form', { cpu: '500m' }, { cpu: '.5' }, 3],
    ['has other requests', { cpu: '2e9' }, { cpu: '1e9' }, 1],
  ])('keeps the class of a pod that %s', (_, limits, requests, parts) => {
    const resources = { limits: { ...limits, memory: '1Gi' }, requests }
    const own = JSON.stringify(sidecarOf(podOf({ resources })).resources)
    expect(own.split('"cpu":"100m"')).toHaveLength(parts)
  })

  test.each([
    ['200m', {}, '200m'],
    ['20m', {}, '100m'],
    ['20m', { 'wimds.io/cpu-limit': '50m' }, '50m'],
    ['20m', { 'wimds.io/cpu-request': '50m' }, '50m'],
  ])('requests %s of CPU with %j, and gets %s in a Guaranteed pod', (request, more, cpu) => {
    const given = pod(more, {
      containers: [{ ...APP, resources: { limits: { cpu: 1, memory: 1 } } }],
    })
    const { limits } = INJECTION_DEFAULTS.resources
    const resources = { requests: { cpu: request, memory: '64Mi' }, limits }
    const amounts = { cpu, memory: '128Mi' }
    expect(sidecarOf(given, { resources }).resources).toEqual({
      requests: amounts,
      limits: amounts,
    })
  })

  test('takes its identity from the ServiceAccount', () => {
    const identity = { AZURE_CLIENT_ID: CLIENT, AZURE_TENANT_ID: TENANT }
    expect(sidecarEnvOf(pod())).toMatchObject(identity)
  })

  test('gets variables of the settings, each name once', () => {
    const listen = '127.0.0.1:64169,127.0.0.1:50342'
    const sidecarEnv = variables({ WIMDS_LOG_LEVEL: 'debug', WIMDS_LISTEN: listen })
    const { env } = sidecarOf(pod(), { sidecarEnv })
    expect(new Set(namesOf(env)).size).toBe(env?.length)
    expect(env).toEqual(expect.arrayContaining(sidecarEnv))
  })

  test('gets the variables of the pod’s annotations in place of variables of the settings', () => {
    const annotations = {
      'wimds.io/mode': 'nft',
      'wimds.io/prefetch': 'https://vault.azure.net',
      'wimds.io/pass-through': '/metadata/instance',
      'wimds.io/https-proxy': 'http://own:3128',
      'wimds.io/no-proxy': '.own',
    }
    const given = pod(annotations, { containers: [SAFE_APP] })
    const own = sidecarEnvOf(given)
    const names = ['WIMDS_PREFETCH', 'WIMDS_PASS_THROUGH', 'HTTPS_PROXY', 'NO_PROXY']
    expect(Object.keys(own)).toEqual(expect.arrayContaining(names))
    const sidecarEnv = names.map((name) => ({ name, value: 'operator' }))
    expect(sidecarEnvOf(given, { sidecarEnv })).toEqual(own)
  })

  test('follows the pod’s annotations', () => {
    const annotations = {
      'wimds.io/port': '8100',
      'wimds.io/admin-port': '9200',
      'wimds.io/config-map': 'identities',
      'wimds.io/memory-request': '256Mi',
      'wimds.io/cpu-limit': '500m',
    }
    const result = injected(pod(annotations))
    expect(envOf(result, 'wimds')).toMatchObject({
      WIMDS_LISTEN: '127.0.0.1:8100',
      WIMDS_ADMIN_LISTEN: '[::]:9200',
      WIMDS_CONFIG: '/etc/wimds/identities.yaml',
    })
    const { resources, volumeMounts } = containerOf(result, 'wimds')
    expect(resources).toEqual({
      requests: { cpu: '10m', memory: '256Mi' },
      limits: { cpu: '500m', memory: '256Mi' },
    })
    const name = 'wimds-config'
    expect(volumeMounts).toContainEqual({ name, mountPath: '/etc/wimds', readOnly: true })
    expect(result.spec.volumes).toContainEqual({ name, configMap: { name: 'identities' } })
    expect(containerOf(result, 'wimds-redirect').args).toContain('--port=8100')
  })

  test('may have an HTTP proxy from a Secret', () => {
    const given = pod({ 'wimds.io/https-proxy-secret': 'egress' })
    expect(sidecarEnvOf(given)).toMatchObject({
      HTTPS_PROXY: { secretKeyRef: { name: 'egress', key: 'https-proxy' } },
    })
  })
})

/** Without this, pass-through is rejected. */
const SAFE_APP: TestContainer = {
  ...APP,
  securityContext: { allowPrivilegeEscalation: false, runAsUser: 1000 },
}

describe('the CA bundle', () => {
  const mount = { name: 'wimds-ca', mountPath: '/etc/ssl/wimds', readOnly: true }
  const items = [{ key: 'ca.crt', path: 'ca.crt' }]
  const otherItems = [{ key: 'bundle.pem', path: 'ca.crt' }]

  test.each([
    ['ca-config-map', 'a', { configMap: { name: 'a', items } }],
    ['ca-config-map', 'a/bundle.pem', { configMap: { name: 'a', items: otherItems } }],
    ['ca-secret', 'a', { secret: { secretName: 'a', items } }],
  ])('of wimds.io/%s: %s is mounted into the sidecar alone', (name, value, source) => {
    const result = injected(pod({ [`wimds.io/${name}`]: value }))
    expect(result.spec.volumes).toContainEqual({ name: 'wimds-ca', ...source })
    expect(envOf(result, 'wimds')).toMatchObject({ WIMDS_CA_FILE: '/etc/ssl/wimds/ca.crt' })
    const mounts = [...(result.spec.initContainers ?? []), ...result.spec.containers]
      .filter(({ volumeMounts }) => namesOf(volumeMounts).includes('wimds-ca'))
      .map(({ name: container, volumeMounts }) => [container, volumeMounts?.at(-1)])
    expect(mounts).toEqual([['wimds', mount]])
  })

  test('of a pod’s annotation replaces the CA of the settings, file and variable', () => {
    const settings: Partial<InjectionSettings> = {
      ca: { kind: 'ConfigMap', name: 'operator', key: 'ca.crt' },
    }
    const ofSettings = { name: 'wimds-ca', configMap: { name: 'operator', items } }
    expect(injected(pod(), settings).spec.volumes).toContainEqual(ofSettings)
    const sidecarEnv = variables({ WIMDS_CA_FILE: '/etc/ssl/other.pem' })
    const own = injected(pod({ 'wimds.io/ca-secret': 'own' }), { ...settings, sidecarEnv })
    expect(own.spec.volumes?.filter(({ name }) => name === 'wimds-ca')).toEqual([
      { name: 'wimds-ca', secret: { secretName: 'own', items } },
    ])
    expect(envOf(own, 'wimds')).toMatchObject({ WIMDS_CA_FILE: '/etc/ssl/wimds/ca.crt' })
  })
})

/** Returns the arguments of the redirect in mode nft. */
function redirectArgs(annotations: Record<string, string>): readonly string[] {
  const given = pod({ 'wimds.io/mode': 'nft', ...annotations }, { containers: [SAFE_APP] })
  return containerOf(injected(given), 'wimds-redirect').args ?? []
}

describe('routing', () => {
  const withInit = withSpec({ initContainers: [MIGRATE] })

  test.each(['loopback', 'nft'] as const)(
    'in mode %s the sidecar comes first, and a redirect that waits for it second',
    (mode) => {
      const result = injected(withInit, { mode })
      expect(initNamesOf(result)).toEqual(['wimds', 'wimds-redirect', 'migrate'])
      expect(containerOf(result, 'wimds-redirect')).toMatchObject({
        image: 'wimds-redirect:test',
        args: ['redirect', `--mode=${mode}`, '--port=64169', '--wait=300'],
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
    const result = injected(withInit, { mode: 'env' })
    expect(initNamesOf(result)).toEqual(['wimds', 'migrate'])
    for (const name of ['app', 'migrate']) {
      const env = envOf(result, name)
      expect(env).toMatchObject({ AZURE_POD_IDENTITY_AUTHORITY_HOST: 'http://127.0.0.1:64169' })
    }
  })

  test('pass-through exempts the sidecar’s uid, and only where it is on', () => {
    const on = redirectArgs({ 'wimds.io/pass-through': '/metadata/instance' })
    expect(on.slice(-2)).toEqual(['--pass-through', '--uid=1501'])
    expect(redirectArgs({})).not.toContain('--pass-through')
  })
})

const hook = (...flags: readonly string[]) => ({
  postStart: { exec: { command: ['wimds', 'probe', ...flags] } },
})

describe('the containers after the sidecar', () => {
  const sidecarEnv = variables({ WIMDS_READY_AFTER_PREFETCH: 'true' })

  test('in mode env are delayed by its start hook until its port accepts connections', () => {
    const given = pod({ 'wimds.io/mode': 'env', 'wimds.io/port': '8100' })
    const lifecycle = hook('--port=8100', '--timeout=300', '--listening')
    expect(sidecarOf(given)).toMatchObject({ restartPolicy: 'Always', lifecycle })
  })

  test.each(['loopback', 'nft'] as const)('in mode %s need no hook', (mode) => {
    expect(sidecarOf(pod(), { mode })).not.toHaveProperty('lifecycle')
  })

  test.each(SIDECAR_MODES)('in mode %s wait for prefetched tokens if they have to', (mode) => {
    const result = injected(pod(), { mode, sidecarEnv })
    const { securityContext, resources, image, ...sidecar } = containerOf(result, 'wimds')
    expect(result.spec.initContainers?.at(-1)).toEqual({
      name: 'wimds-wait',
      image,
      args: ['probe', '--port=64169', '--timeout=300'],
      terminationMessagePolicy: 'FallbackToLogsOnError',
      resources,
      securityContext,
    })
    expect(sidecar).not.toHaveProperty('lifecycle')
  })
})

describe('NO_PROXY', () => {
  const OURS = '169.254.169.254,localhost,127.0.0.1'
  const lists = (upper: string, lower = upper) => ({
    NO_PROXY: `${upper}${OURS}`,
    no_proxy: `${lower}${OURS}`,
  })

  test.each<[string, Readonly<Record<string, string>>, object]>([
    ['is added where a proxy is set', { http_proxy: 'http://proxy:3128' }, lists('')],
    ['is added to', { NO_PROXY: '.svc' }, lists('.svc,')],
    ['keeps the two cases apart', { NO_PROXY: '.a', no_proxy: '.b' }, lists('.a,', '.b,')],
    ['keeps a reference', { NO_PROXY: '$(HOSTS)', no_proxy: '.b' }, lists('$(HOSTS),', '.b,')],
    [
      'keeps a reference from one case to the other',
      { NO_PROXY: '.a', no_proxy: '$(NO_PROXY)' },
      lists('.a,', '$(NO_PROXY),'),
    ],
  ])('%s', (_, values, expected) => {
    const given = podOf({ env: variables(values) })
    expect(envOf(injected(given), 'app')).toMatchObject(expected)
  })

  test('from a ConfigMap is not changed, with a warning', () => {
    const valueFrom = { configMapKeyRef: { name: 'proxy', key: 'none' } }
    const env = [{ name: 'NO_PROXY', valueFrom }]
    const given = withSpec({ containers: [{ ...APP, env }], initContainers: [{ ...MIGRATE, env }] })
    expect(envOf(injected(given), 'app')).toEqual({ NO_PROXY: valueFrom })
    expect(warningsFor(given)).toEqual([
      expect.stringContaining('migrate takes NO_PROXY from a ConfigMap or Secret'),
      expect.stringContaining('app takes NO_PROXY from a ConfigMap or Secret'),
    ])
  })

  test('is not added where no proxy is set, unless the settings say so', () => {
    expect(containerOf(injected(pod()), 'app')).toEqual(APP)
    expect(envOf(injected(pod(), { alwaysSetsNoProxy: true }), 'app')).toEqual(lists(''))
  })

  test.each([
    ['nothing', {}, lists('$(NO_PROXY),$(no_proxy),', '$(no_proxy),$(NO_PROXY),')],
    ['NO_PROXY', { NO_PROXY: '.svc' }, lists('.svc,', '$(no_proxy),.svc,')],
  ])('extends what envFrom sets in a container that sets %s itself', (_, values, expected) => {
    const envFrom = [{ configMapRef: { name: 'proxy' } }]
    const given = podOf({ env: variables(values), envFrom })
    expect(envOf(injected(given), 'app')).toEqual(expected)
    expect(warningsFor(given)).toEqual([])
  })

  test('and the whole environment of a skipped container are not changed', () => {
    const skip = pod({ 'wimds.io/skip-containers': 'app; other' })
    expect(envOf(injected(skip, { mode: 'env' }), 'app')).toEqual({})
  })
})

const TOKEN_FILE = 'AZURE_FEDERATED_TOKEN_FILE'

/** Returns a volume with service-account tokens at these paths. */
const tokenVolume = (name: string, paths: readonly string[], audience?: string) => ({
  name,
  projected: { sources: paths.map((path) => ({ serviceAccountToken: { audience, path } })) },
})

const mountOf = (name: string) => ({ name, mountPath: `/var/run/secrets/${name}` })

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
    expect(envOf(result, 'wimds')).toMatchObject({ [TOKEN_FILE]: '/var/run/secrets/wimds/token' })
  })

  test('is valid as long as the annotation of azure-workload-identity says', () => {
    const annotations = { 'azure.workload.identity/service-account-token-expiration': '7200' }
    expect(injected(pod(annotations)).spec.volumes).toMatchObject([
      { projected: { sources: [{ serviceAccountToken: { expirationSeconds: 7200 } }] } },
    ])
  })

  const SINCE_1_6 = 'azure-workload-identity-reserved-abc'
  const azure = '/var/run/secrets/azure'

  test.each([
    ['before 1.6', 'azure-identity-token', `${azure}/tokens`, 'azure-identity-token'],
    ['since 1.6', SINCE_1_6, `${azure}/wi`, 'token/azure-identity-token'],
  ])('is the one of the AKS webhook %s, with its variables', (_, name, mountPath, path) => {
    const values = {
      [TOKEN_FILE]: `${mountPath}/${path}`,
      AZURE_AUTHORITY_HOST: 'https://login.microsoftonline.us/',
      AZURE_KUBERNETES_TOKEN_PROXY: 'https://proxy',
    }
    const mount = { name, mountPath, readOnly: true }
    const containers = [{ ...APP, env: variables(values), volumeMounts: [mount] }]
    const result = injected(withSpec({ containers, volumes: [tokenVolume(name, [path])] }))
    expect(result.spec.volumes).toHaveLength(1)
    expect(containerOf(result, 'wimds').volumeMounts).toEqual([mount])
    expect(envOf(result, 'wimds')).toMatchObject(values)
  })

  test('comes with a second one for direct federation in another volume', () => {
    const [binding, direct, other] = ['azure-token', 'direct-token', 'aws-token'].map(mountOf)
    const env = variables({ [TOKEN_FILE]: `${binding?.mountPath}/token` })
    const containers = [{ ...APP, env, volumeMounts: [binding, direct, other] }]
    const volumes = [
      tokenVolume('azure-token', ['token']),
      tokenVolume('direct-token', ['token'], 'api://AzureADTokenExchange'),
      tokenVolume('aws-token', ['token'], 'sts.amazonaws.com'),
    ]
    const { volumeMounts } = sidecarOf(withSpec({ containers, volumes }))
    expect(volumeMounts).toMatchObject([binding, direct])
  })

  test('gets a volume of the injector if the variable names a file that the pod does not project', () => {
    const result = injected(podOf({ env: variables({ [TOKEN_FILE]: '/etc/token' }) }))
    expect(namesOf(result.spec.volumes)).toEqual(['wimds-token'])
  })

  describe('of a volume of the pod', () => {
    const OWN = { name: 'tokens', mountPath: '/var/run/secrets/wimds', readOnly: true }
    const volumes = [tokenVolume('tokens', ['vault/token', 'azure/token'])]
    const mounting = (file: string, ...volumeMounts: readonly object[]) => {
      const env = variables({ [TOKEN_FILE]: file })
      return withSpec({ containers: [{ ...APP, env, volumeMounts }], volumes })
    }
    const partly = { mountPath: '/var/run/secrets/azure', subPath: 'azure' }

    test.each([
      ['mounted elsewhere', '/mnt/tokens/azure/token', { mountPath: '/mnt/tokens' }],
      ['mounted in part', '/mnt/token', { mountPath: '/mnt', subPath: 'azure' }],
      // The kubelet never renews a mount by subPath.
      ['mounted in part where the image may read', '/var/run/secrets/azure/token', partly],
      ['mounted as a file', '/mnt/token', { mountPath: '/mnt/token', subPath: 'azure/token' }],
    ])('is mounted whole where the image may read it: %s', (_, file, mount) => {
      const result = injected(mounting(file, { name: 'tokens', ...mount }))
      expect(containerOf(result, 'wimds').volumeMounts).toEqual([OWN])
      const moved = { [TOKEN_FILE]: '/var/run/secrets/wimds/azure/token' }
      expect(envOf(result, 'wimds')).toMatchObject(moved)
      expect(result.spec.volumes).toEqual(volumes)
      expect(patchFor(result)).toEqual([])
    })

    test('is used at its mount path if the image may read it there', () => {
      const mount = { name: 'tokens', mountPath: '/run/secrets/tokens' }
      const file = '/run/secrets/tokens/azure/token'
      const result = injected(mounting(file, mount))
      expect(containerOf(result, 'wimds').volumeMounts).toEqual([mount])
      expect(envOf(result, 'wimds')).toMatchObject({ [TOKEN_FILE]: file })
    })

    test('is distinguished from the mounts around it', () => {
      const around = { name: 'data', mountPath: '/mnt' }
      const inside = { name: 'tokens', mountPath: '/mnt/tokens' }
      const given = mounting('/mnt/tokens/azure/token', around, inside)
      expect(sidecarOf(given).volumeMounts).toEqual([OWN])
    })

    test.each([
      ['another file of the volume', '/mnt/ca.crt', { mountPath: '/mnt' }],
      [
        'a path that only the kubelet knows',
        '/mnt/token',
        { mountPath: '/mnt', subPathExpr: '$(A)' },
      ],
    ])('gets a volume of the injector for %s', (_, file, mount) => {
      const result = injected(mounting(file, { name: 'tokens', ...mount }))
      expect(namesOf(result.spec.volumes)).toEqual(['tokens', 'wimds-token'])
    })
  })

  test('and the CA are where the permissions of the image let Node read', async () => {
    const dockerfile = await readFile('Dockerfile', 'utf8')
    for (const directory of [...READABLE, '/etc/ssl']) {
      expect(dockerfile).toContain(` --allow-fs-read=${directory} `)
    }
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
    const volumeMounts = [{ name: 'aks', mountPath: '/var/run/secrets/azure/tokens' }]
    const file = '/var/run/secrets/azure/tokens/azure-identity-token'
    const added = tokenVolume('aks', ['azure-identity-token'])
    const { spec, ...once } = injected(pod())
    const containers = [{ ...APP, env: variables({ [TOKEN_FILE]: file }), volumeMounts }]
    const volumes = [...(spec.volumes ?? []), added]
    const twice = injected({ ...once, spec: { ...spec, containers, volumes } })
    expect(envOf(twice, 'wimds')).toMatchObject({ [TOKEN_FILE]: file })
    expect(twice.spec.volumes).toEqual([added])
  })

  test('with a newer image patches the init containers alone', () => {
    const patch = patchFor(injected(pod()), { image: 'wimds:newer' })
    expect(patch.map(({ path }) => path)).toEqual(['/spec/initContainers'])
  })
})
