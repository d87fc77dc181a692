/** What the chart renders, and the values that it rejects, by each Helm. */
import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { parse, parseAllDocuments, stringify } from 'yaml'
import { z } from 'zod'
import { SET_BY_INJECTION } from '../../src/injection/injector/injection-settings.ts'
import { CHART, type Helm, HELMS, RELEASE } from './helm.ts'

const Manifest = z.looseObject({
  kind: z.string(),
  metadata: z.looseObject({ name: z.string(), labels: z.record(z.string(), z.string()) }),
})
const Labels = z.record(z.string(), z.string())
const Deployment = z.object({
  spec: z.object({
    selector: z.object({ matchLabels: Labels }),
    template: z.object({
      metadata: z.object({ labels: Labels }),
      spec: z.object({
        terminationGracePeriodSeconds: z.int(),
        containers: z.tuple([z.object({ args: z.array(z.string()) })]),
      }),
    }),
  }),
})
const WithPods = z.object({ spec: z.object({ template: z.object({ spec: z.unknown() }) }) })
/** Returns the spec of the pods of a workload. */
const specOf = (workload: unknown) => WithPods.parse(workload).spec.template.spec
const Group = z.object({ properties: z.record(z.string(), z.unknown()) })
const Webhooks = z.object({
  webhooks: z.array(
    z.object({
      name: z.string(),
      clientConfig: z.object({ service: z.object({ path: z.string() }) }),
      namespaceSelector: z.object({ matchExpressions: z.array(z.unknown()) }),
      matchConditions: z.array(z.object({ expression: z.string() })).optional(),
    }),
  ),
})

const CHART_VERSION = z
  .object({ version: z.string() })
  .parse(parse(readFileSync(`${CHART}/Chart.yaml`, 'utf8'))).version

const TENANT = '1111aAbB-1111-4111-8111-111111111111'

/** The names of all values and groups of values. */
const VALUES = findValues(
  parse(readFileSync(`${CHART}/values.yaml`, 'utf8')),
  JSON.parse(readFileSync(`${CHART}/values.schema.json`, 'utf8')),
)

function findValues(values: object, schema: unknown, prefix = ''): string[] {
  const { properties } = Group.parse(schema)
  return Object.entries(values).flatMap(([key, value]): string[] => {
    const name = `${prefix}${key}`
    const isGroup = Group.safeParse(properties[key]).success
    return [name, ...(isGroup ? findValues(value, properties[key], `${name}.`) : [])]
  })
}

/** Keeps the types of a values file. */
const assignments = (values: object) =>
  Object.entries(values)
    .map(([name, value]) => `${name}=${JSON.stringify(value)}`)
    .join(',')

/** Fields whose values are text, wherever they are. */
const TEXT = /^(?:.*[nN]amespaces?|.*[nN]ame|.*Names|app\.kubernetes\.io\/.+)$/

/** Returns the paths of those fields that are no text. */
function findNumbers(value: unknown, path = ''): string[] {
  if (typeof value !== 'object' || value === null) {
    const isText = path.split('|').some((key) => TEXT.test(key))
    return isText && typeof value !== 'string' ? [`${path}: ${String(value)}`] : []
  }
  return Object.entries(value).flatMap(([key, member]) => findNumbers(member, `${path}|${key}`))
}

/** Returns kind and name of what a release of that name consists of. */
async function nameObjects(run: Helm['run'], release: string): Promise<readonly string[]> {
  const flags = ['--kube-version=1.34.0', '--skip-tests', `--namespace=${release}`]
  return parseAllDocuments(await run('template', release, CHART, ...flags)).map((document) => {
    const { kind, metadata } = Manifest.parse(document.toJS())
    return `${kind}/${metadata.name}`
  })
}

test('every error of the templates names a fix', () => {
  const errors = readdirSync(`${CHART}/templates`)
    .filter((name) => name.includes('.'))
    .flatMap((name) => readFileSync(`${CHART}/templates/${name}`, 'utf8').split('\n'))
    .filter((line) => /\{\{-? (?:fail|required) /.test(line))
  expect(errors.length).toBeGreaterThan(15)
  expect(errors.filter((line) => !line.includes('Fix: '))).toEqual([])
})

test('runs with Helm 3 and Helm 4', () => {
  const majors = new Set(HELMS.map(({ version }) => version.split('.')[0]))
  expect(majors).toEqual(new Set(['v3', 'v4']))
})

describe.each(HELMS)('Helm $version', ({ run }) => {
  /** Renders for a current Kubernetes; a later flag of the same name takes precedence. */
  const template = (...flags: readonly string[]) =>
    run('template', RELEASE, CHART, '--kube-version=1.34.0', ...flags)

  /** Returns the objects of that kind. Values are an object or a flag. */
  async function renderAll(kind: string, values: object | string = {}): Promise<unknown[]> {
    const flag = typeof values === 'string' ? values : `--set-json=${assignments(values)}`
    const documents = parseAllDocuments(await template(...(flag === '--set-json=' ? [] : [flag])))
    return documents.flatMap((document): unknown[] => {
      // A duplicate key would be an error.
      expect(document.errors).toEqual([])
      const object: unknown = document.toJS()
      return Manifest.safeParse(object).data?.kind === kind ? [object] : []
    })
  }

  /** Returns the only object of that kind, or undefined. */
  async function render(kind: string, values: object | string = {}): Promise<unknown> {
    const [found, ...more] = await renderAll(kind, values)
    expect(more).toEqual([])
    return found
  }

  /**
   * Returns each rendered object as text, without comments and without the version of the chart. They are in the order
   * of their text: the order of the kinds depends on the version of Helm.
   */
  const renderTexts = async (...flags: readonly string[]) =>
    parseAllDocuments(await template('--namespace=wimds', ...flags))
      .map((document) =>
        stringify(document.toJS(), { lineWidth: 0 }).replaceAll(CHART_VERSION, 'VERSION'),
      )
      .toSorted()

  /** Returns the objects that differ from the objects of the default values. */
  const renderChanged = async (...flags: readonly string[]) => {
    const usual = await renderTexts()
    return (await renderTexts(...flags)).filter((text) => !usual.includes(text)).join('---\n')
  }

  describe('renders the objects of the snapshot', () => {
    test('with the default values', async () => {
      const all = (await renderTexts()).join('---\n')
      await expect(all).toMatchFileSnapshot('golden/default.yaml')
    })

    test('with the node agent', async () => {
      const rendered = await renderChanged('--set=nodeAgent.enabled=true')
      await expect(rendered).toMatchFileSnapshot('golden/node-agent.yaml')
    })

    test('with certificates of cert-manager and a client CA', async () => {
      const rendered = await renderChanged(
        '--set=certificates.source=cert-manager,certificates.issuerRef.name=ca',
        '--set=webhook.clientCaSecret=api-server-ca',
      )
      await expect(rendered).toMatchFileSnapshot('golden/cert-manager.yaml')
    })
  })

  test('the node agent has small buffers of connections where each kubelet of the cluster admits it', async () => {
    const enabled = '--set=nodeAgent.enabled=true'
    expect(await renderChanged(enabled, '--kube-version=1.35.0')).toContain('net.ipv4.tcp_rmem')
    expect(await renderChanged(enabled, '--kube-version=1.34.0')).not.toContain('sysctls')
  })

  test('two releases have no object in common, as docs/tasks/upgrade.md needs for a canary', async () => {
    const objects = await nameObjects(run, RELEASE)
    expect(objects.length).toBeGreaterThan(10)
    const canary = new Set(await nameObjects(run, `${RELEASE}-canary`))
    expect(objects.filter((object) => canary.has(object))).toEqual([])
  })

  const deployment = async (values: object | string = {}) =>
    Deployment.parse(await render('Deployment', values)).spec

  const argsOf = async (values: object | string) =>
    (await deployment(values)).template.spec.containers[0].args

  const webhooks = async (...flags: readonly string[]) => {
    const documents = parseAllDocuments(await template(...flags))
    return documents.flatMap((document) => Webhooks.safeParse(document.toJS()).data?.webhooks ?? [])
  }

  test('passes helm lint', async () => {
    expect(await run('lint', '--strict', CHART)).toContain('0 chart(s) failed')
  })

  test.each([
    ['injektion.mode=env', "additional properties 'injektion' not allowed"],
    // Other values that the schema forbids are its own to say.
    ['injection.mode=iptables', '/injection/mode'],
    ['injection.allowedModes={env}', 'mode loopback is not in injection.allowedModes'],
    ['injection.mode=node', 'Fix: set nodeAgent.enabled=true, which adds it'],
    ['injection.tenantId=foo', 'injection.tenantId "foo" is neither a GUID nor a domain'],
    ['certificates.source=cert-manager', 'issuerRef'],
    ['certificates.source=cert-manager,certificates.issuerRef.nam=ca', 'issuerRef needs a name'],
    ['fullnameOverride=1wimds', 'that of a Service must begin with a letter'],
    [
      'nodeAgent.enabled=true,nodeAgent.namespace=kube-system',
      'nodeAgent.namespace kube-system exists',
    ],
    ['certificates.source=secret', 'is needed with certificates.source=secret'],
    [
      'certificates.source=secret,certificates.secretName=tls,certificates.caBundle=notb64',
      'certificates.caBundle is not the base64 of a PEM certificate',
    ],
    ['injection.env.WIMDS_MODE=nft', 'which injection sets. Fix: use injection.mode'],
    ['injection.env.WIMDS_CA_FILE=/ca.crt,injection.ca.secret=ca', 'injection.ca are both set'],
    // As wimds inject does.
    ...[...SET_BY_INJECTION.keys()].map((name) => [
      `injection.env.${name}=x`,
      `injection.env must not contain ${name}, which injection sets. Fix: use `,
    ]),
    ['--set-string=injection.uid=2147483648', 'injection.uid 2147483648 is too large'],
    ['injection.resources.memoryLimit=32Mi', 'memoryLimit 32Mi is below memoryRequest 64Mi'],
    [
      'injection.resources.memoryRequest=1Gi,injection.resources.memoryLimit=1000M',
      'memoryLimit 1000M is below memoryRequest 1Gi',
    ],
    [
      'injection.resources.cpuRequest=1500m,injection.resources.cpuLimit=1',
      'cpuLimit 1 is below cpuRequest 1500m',
    ],
    ['injection.ca.configMap=a,injection.ca.secret=b', 'injection.ca.secret are both set'],
    [String.raw`podLabels.app\.kubernetes\.io/name=mine`, 'podLabels must not contain'],
    [
      String.raw`podAnnotations.wimds\.io/inject=x`,
      'podAnnotations must not contain wimds.io/inject',
    ],
    [
      String.raw`nodeAgent.enabled=true,nodeAgent.podLabels.app\.kubernetes\.io/name=mine`,
      'nodeAgent.podLabels must not contain app.kubernetes.io/name',
    ],
    [
      String.raw`nodeAgent.enabled=true,nodeAgent.podAnnotations.wimds\.io/mode=env`,
      'nodeAgent.podAnnotations must not contain wimds.io/mode',
    ],
    ['hostNetwork=true', "webhook.port 10250 is the kubelet's on every node"],
    ['webhook.port=9440', 'webhook.port and webhook.adminPort are both 9440'],
    ['drain=2h', 'drain 2h is too long'],
    ['resources.limits.memory=abc', 'resources.limits.memory "abc" is not a quantity'],
    ['nodeAgent.resources.requests.cpu=1 core', 'cpu "1 core" is not a quantity'],
    ['prometheusRule.runbookUrl=abc', 'prometheusRule.runbookUrl "abc" is not a URL'],
    ['global.imageRegistry=', 'global.imageRegistry is empty'],
    ...['https://r.example', 'r.example/', 'r.example/Acme'].map((registry) => [
      `global.imageRegistry=${registry}`,
      `global.imageRegistry "${registry}" is not a registry`,
    ]),
    ['image.repository=Acme/wimds', 'image.repository "Acme/wimds" is not the name of an image'],
    ['redirectImage.repository=r.example:5000/redirect:1', 'without tag and digest'],
    ['image.tag=a b', 'image.tag "a b" is not a tag'],
    ...[':9441', 'foo bar:9441', '999.1.1.1:9441', '1.2.3:9441', '::1:9441', '[a.b]:9441'].map(
      (address) => [
        `nodeAgent.adminListen=${address}`,
        `"${address}" is not an address and a port`,
      ],
    ),
    ['nodeAgent.adminListen=127.0.0.1:99999', '"127.0.0.1:99999" has no port from 1 to 65535'],
    [
      'nodeAgent.enabled=true,injection.env.WIMDS_CA_FILE=/var/ca.pem',
      'WIMDS_CA_FILE "/var/ca.pem" is a file that the brokers of mode node cannot read',
    ],
  ])('rejects %s', async (values = '', message = '') => {
    const flag = values.startsWith('--') ? values : `--set=${values}`
    await expect(template(flag)).rejects.toThrow(message)
  })

  test('takes all images from one registry, but one that has a repository of its own', async () => {
    const output = await template(
      '--set=global.imageRegistry=r.example:5000/a,gateImage.repository=other.example/gate',
      '--set=nodeAgent.enabled=true,image.tag=next',
    )
    const images = output.match(/\S+(?:wimds[a-z-]*|gate):(?:next|\d+\.\d+\.\d+)$/gm)
    expect([...new Set(images)].toSorted()).toEqual([
      `--gate-image=other.example/gate:${CHART_VERSION}`,
      '--image=r.example:5000/a/wimds:next',
      `--redirect-image=r.example:5000/a/wimds-redirect:${CHART_VERSION}`,
      `r.example:5000/a/wimds-cluster:${CHART_VERSION}`,
    ])
  })

  test.each([
    '--set=resources.limits.memory=268435456',
    '--set=resources.limits.cpu=1.5',
    '--set=nodeAgent.resources.requests.memory=1e3',
    '--set=resources=null',
    '--set=image.repository=wimds',
    '--set=image.repository=GHCR.IO/acme/wimds',
    '--set=injection.env.WIMDS_LOG_LEVEL=debug',
    '--set=image.repository=registry.example:5000/a/b--c__d.e',
    '--set=prometheusRule.runbookUrl=https://wiki.example/wimds',
    '--set=nodeAgent.adminListen=[fd00::1]:9441',
    '--set=nodeAgent.adminListen=0.0.0.0:9441',
    '--set=nodeAgent.adminListen=node-1.example:9441',
  ])('accepts %s', async (flag) => {
    expect(await template(flag)).toContain('kind: Deployment')
  })

  test.each(VALUES)('renders %s as null, or names it', async (value) => {
    const everything = [
      '--set=nodeAgent.enabled=true,podMonitor.enabled=true,prometheusRule.enabled=true',
      '--set-json=nodeAgent.scrapers=[{"podSelector":{}}]',
    ]
    const output = await template(...everything, `--set=${value}=null`).catch(String)
    const name = value.split('.').at(-1) ?? ''
    const isNamed = [`missing property '${name}'`, `): ${value}`].some((t) => output.includes(t))
    expect(isNamed || !/^Error|<nil>|%!|=null$|: null$/m.test(output)).toBe(true)
  })

  test.each([
    [{ drain: '1h' }, '--drain=1h'],
    [{ 'injection.uid': 1_000_680_000 }, '--uid=1000680000'],
    [{ 'injection.uid': '1501' }, '--uid=1501'],
    [{ 'injection.uid': 'none' }, '--uid=none'],
    [{ 'injection.tenantId': TENANT }, `--tenant-id=${TENANT}`],
    [{ 'injection.tenantId': 'contoso.com' }, '--tenant-id=contoso.com'],
    [{ 'injection.resources.cpuLimit': 1 }, '--cpu-limit=1'],
    [{ 'injection.resources.cpuRequest': 0.05 }, '--cpu-request=0.05'],
    [{ 'injection.resources.memoryLimit': 134_217_728 }, '--memory-limit=134217728'],
    // In arguments Kubernetes makes $$ a $ and expands $(NAME).
    [{ 'injection.env.B': 'a$$b$(C)' }, '--env=B=a$$$$b$$(C)'],
    [{ 'injection.env.B': '12345678' }, '--env=B=12345678'],
    [{ 'injection.allowedModes': ['env', 'loopback'] }, '--allowed-modes=env,loopback'],
    [{ 'injection.ca.configMap': 'ca/bundle.pem' }, '--ca-config-map=ca/bundle.pem'],
    [{ 'injection.ca.secret': 'ca' }, '--ca-secret=ca'],
    [{ 'injection.allowPassThrough': true }, '--allow-pass-through'],
    [{ 'injection.alwaysSetNoProxy': true }, '--always-set-no-proxy'],
    [{ 'webhook.port': 8443 }, '--listen=[::]:8443'],
    [{ 'webhook.adminPort': 9000 }, '--admin-listen=[::]:9000'],
  ])('renders %j as %s', async (values, flag) => {
    expect(await argsOf(values)).toContain(flag)
  })

  test.each([
    ['5s', 30],
    ['60s', 85],
    ['1.5m', 115],
    ['100ms', 26],
  ])('gives a pod that drains for %s a grace period of %i seconds', async (drain, seconds) => {
    const { template: pod } = await deployment({ drain })
    expect(pod.spec.terminationGracePeriodSeconds).toBe(seconds)
  })

  test('podLabels replace the labels of pods but not the labels of the selector', async () => {
    const version = { 'app.kubernetes.io/version': 'mine', team: 'shop' }
    const { selector, template: pod } = await deployment({ podLabels: version })
    expect(pod.metadata.labels).toMatchObject({ ...selector.matchLabels, ...version })
  })

  /** Returns the specifications of the pods that a deletion of the release starts first. */
  const checksOf = async (values: object) => {
    const Check = z.object({
      metadata: z.object({
        annotations: z.object({ 'helm.sh/hook': z.literal('pre-delete') }),
      }),
      spec: z.object({ template: z.object({ spec: z.unknown() }) }),
    })
    const jobs = (await renderAll('Job', values)).map((job) => Check.safeParse(job).data)
    return jobs.flatMap((job) => job?.spec.template.spec ?? [])
  }

  describe('the node agent', () => {
    const enabled = { 'nodeAgent.enabled': true }

    test.each([
      ['configMap', 'corporate/bundle.pem', 'name', 'bundle.pem'],
      ['secret', 'corporate', 'secretName', 'ca.crt'],
    ])(
      'gives the broker the variables and the CA of sidecars, by %s',
      async (kind, ca, name, key) => {
        const rendered = await render('DaemonSet', {
          ...enabled,
          [`injection.ca.${kind}`]: ca,
          'injection.env': { HTTPS_PROXY: 'http://a$(B)', WIMDS_LOG_LEVEL: 'debug', OTHER: 'x' },
        })
        const env = [
          { name: 'HTTPS_PROXY', value: 'http://a$$(B)' },
          { name: 'WIMDS_LOG_LEVEL', value: 'debug' },
          { name: 'WIMDS_CA_FILE', value: '/etc/ssl/wimds/ca.crt' },
        ]
        const mount = { name: 'ca', mountPath: '/etc/ssl/wimds', readOnly: true }
        const volume = { [name]: 'corporate', items: [{ key, path: 'ca.crt' }] }
        expect(specOf(rendered)).toMatchObject({
          containers: [
            { env: expect.arrayContaining(env), volumeMounts: expect.arrayContaining([mount]) },
          ],
          volumes: expect.arrayContaining([{ name: 'ca', [kind]: volume }]),
        })
        expect(JSON.stringify(rendered)).not.toContain('OTHER')
      },
    )

    test('reads the directories of the kubelet and of containerd where the values say', async () => {
      const rendered = await render('DaemonSet', {
        ...enabled,
        'nodeAgent.kubeletDirectory': '/var/lib/k0s/kubelet',
        'nodeAgent.containerdDirectory': '/run/k0s/containerd',
      })
      const bundles = '/run/k0s/containerd/io.containerd.runtime.v2.task/k8s.io'
      expect(specOf(rendered)).toMatchObject({
        volumes: [
          { hostPath: { path: '/var/lib/k0s/kubelet/pods', type: 'Directory' } },
          { hostPath: { path: '/run/wimds', type: 'DirectoryOrCreate' } },
          { hostPath: { path: '/var/lib/cni/results', type: 'DirectoryOrCreate' } },
          { hostPath: { path: bundles, type: 'DirectoryOrCreate' } },
          { hostPath: { path: '/var/run/netns', type: 'DirectoryOrCreate' } },
        ],
      })
    })

    test('has the SELinux options of the values', async () => {
      const options = { ...enabled, 'nodeAgent.seLinuxOptions': { type: 'spc_t' } }
      expect(specOf(await render('DaemonSet', options))).toMatchObject({
        containers: [{ securityContext: { seLinuxOptions: { type: 'spc_t' } } }],
      })
    })

    test('lets an uninstall fail while pods need the agent, unless the values say otherwise', async () => {
      const args = ['node-agent', '--uninstall-check']
      expect(await checksOf(enabled)).toEqual([
        expect.objectContaining({ containers: [expect.objectContaining({ args })] }),
      ])
      expect(await checksOf({ ...enabled, 'nodeAgent.uninstallCheck': false })).toEqual([])
    })

    test('lets the check before an uninstall run on no node that is not ready', async () => {
      const [spec] = await checksOf({
        ...enabled,
        'nodeAgent.tolerations': [{ operator: 'Exists' }],
      })
      expect(spec).not.toHaveProperty('tolerations')
    })

    test('passes on what the values say of it, by the names of the webhook’s', async () => {
      const affinity = { nodeAffinity: { a: 1 } }
      const updateStrategy = { type: 'RollingUpdate', rollingUpdate: { maxSurge: 0 } }
      const rendered = await render('DaemonSet', {
        ...enabled,
        'nodeAgent.updateStrategy': updateStrategy,
        'nodeAgent.affinity': affinity,
        'nodeAgent.podLabels.team': 'shop',
        'nodeAgent.podAnnotations.note': 'mine',
        'nodeAgent.extraEnv': [{ name: 'A', value: 'b' }],
      })
      const selector = { 'app.kubernetes.io/name': 'wimds-node-agent' }
      const metadata = { labels: { team: 'shop', ...selector }, annotations: { note: 'mine' } }
      expect(rendered).toMatchObject({
        spec: { updateStrategy, selector: { matchLabels: selector }, template: { metadata } },
      })
      const env = expect.arrayContaining([{ name: 'A', value: 'b' }])
      expect(specOf(rendered)).toMatchObject({ affinity, containers: [{ env }] })
    })
  })

  test('one replica does not block the drain of a node', async () => {
    const budget = await render('PodDisruptionBudget', { replicaCount: 1 })
    expect(budget).toMatchObject({ spec: { maxUnavailable: 1 } })
    expect(budget).not.toHaveProperty('spec.minAvailable')
  })

  test('the longest names leave room for what is appended', async () => {
    const flag = `--set=fullnameOverride=${'b'.repeat(50)},nodeAgent.enabled=true`
    for (const document of parseAllDocuments(await template(flag))) {
      const { metadata } = Manifest.parse(document.toJS())
      const long = [metadata.name, ...Object.values(metadata.labels)].filter((it) => it.length > 63)
      expect(long).toEqual([])
    }
  })

  test('needs no Secret, Role or policy with a certificate of cert-manager', async () => {
    const flags = ['--set=certificates.source=cert-manager', '--set=certificates.issuerRef.name=ca']
    const output = await template(...flags)
    expect(output).toContain('cert-manager.io/inject-ca-from: default/wimds')
    expect(output).toContain('--cert-dir=/tls')
    expect(output).not.toMatch(/kind: (?:Role|Secret|ValidatingAdmissionPolicy)$/m)
  })

  test('renders names that look like numbers and comments as text', async () => {
    const values = {
      fullnameOverride: 'true',
      priorityClassName: '1',
      'nodeAgent.enabled': true,
      'nodeAgent.namespace': '789',
      'nodeAgent.priorityClassName': '2',
      'webhook.clientCaSecret': '123',
      'dashboard.enabled': true,
      'nodeAgent.scrapers': [{ podSelector: {} }],
      'podMonitor.enabled': true,
      'prometheusRule.enabled': true,
      'injection.audience': 'api://x #b',
    }
    const flags = ['--kube-version=1.34.0', '--namespace=456', `--set-json=${assignments(values)}`]
    const output = await run('template', '123', CHART, ...flags)
    expect(findNumbers(parseAllDocuments(output).map((document) => document.toJS()))).toEqual([])
    expect(output).toContain('"--audience=api://x #b"')
  })

  test('injects the CA of its own Certificate, whatever webhook.annotations say', async () => {
    const rendered = await render('MutatingWebhookConfiguration', {
      'certificates.source': 'cert-manager',
      'certificates.issuerRef.name': 'ca',
      'webhook.annotations': { 'cert-manager.io/inject-ca-from': 'other/other', note: 'mine' },
    })
    expect(rendered).toMatchObject({
      metadata: {
        annotations: { 'cert-manager.io/inject-ca-from': 'default/wimds', note: 'mine' },
      },
    })
  })

  const EXCLUDED = { key: 'kubernetes.io/metadata.name', operator: 'NotIn' }

  test.each([
    ['its own pods', 'own', ['--namespace=own', '--set-json=webhook.excludedNamespaces=[]']],
    ['the node agent', 'agents', ['--set=nodeAgent.enabled=true,nodeAgent.namespace=agents']],
  ])('calls the webhook by label in no namespace of %s', async (_, namespace, flags) => {
    const [, labelled] = await webhooks(...flags)
    expect(labelled?.namespaceSelector.matchExpressions).toContainEqual({
      ...EXCLUDED,
      values: expect.arrayContaining([namespace]),
    })
  })

  test('adds the conditions of webhook.namespaceSelector to both', async () => {
    const condition = { key: 'team', operator: 'In', values: ['shop'] }
    const flag = `--set-json=webhook.namespaceSelector=[${JSON.stringify(condition)}]`
    const found = await webhooks(flag)
    expect(found).toHaveLength(2)
    for (const { namespaceSelector } of found) {
      expect(namespaceSelector.matchExpressions).toContainEqual(condition)
    }
  })

  test('on the network of the node, replaces a pod before it starts another', async () => {
    const flag = '--set=hostNetwork=true,webhook.port=10260'
    const rendered = await render('Deployment', flag)
    const strategy = { rollingUpdate: { maxUnavailable: 1, maxSurge: 0 } }
    expect(rendered).toMatchObject({ spec: { strategy } })
    const network = { hostNetwork: true, dnsPolicy: 'ClusterFirstWithHostNet' }
    expect(specOf(rendered)).toMatchObject(network)
    expect(await render('NetworkPolicy', flag)).toBeUndefined()
  })

  describe('helm test', () => {
    test('is a pod that no selector of the webhook’s pods matches', async () => {
      const [pod] = await renderAll('Pod')
      const { selector } = await deployment()
      const { labels } = Manifest.parse(pod).metadata
      expect(labels['app.kubernetes.io/instance']).toBe(RELEASE)
      expect(
        Object.entries(selector.matchLabels).every(([name, value]) => labels[name] === value),
      ).toBe(false)
      expect(pod).toMatchObject({
        metadata: { annotations: { 'helm.sh/hook': 'test', 'wimds.io/mode': 'env' } },
        spec: { serviceAccountName: 'wimds-test' },
      })
    })

    test('waits before it until earlier replicas have drained, and keeps a pod that failed', async () => {
      const [pod] = await renderAll('Pod', { drain: '20s' })
      const [wait] = await renderAll('Job', { drain: '20s' })
      const args = ['--eval', 'setTimeout(() => {}, 23000)']
      expect(wait).toMatchObject({
        metadata: { annotations: { 'helm.sh/hook': 'test', 'helm.sh/hook-weight': '-1' } },
        // Helm deletes it only if the whole test succeeds.
        spec: { ttlSecondsAfterFinished: 30, template: { spec: { containers: [{ args }] } } },
      })
      expect(pod).not.toHaveProperty(['metadata', 'annotations', 'helm.sh/hook-weight'])
      expect(JSON.stringify([pod, wait])).not.toMatch(/hook-delete-policy":"[^"]*failed/)
    })

    test('asks for the default mode where env is not allowed', async () => {
      const [pod] = await renderAll('Pod', { 'injection.allowedModes': ['loopback'] })
      expect(pod).not.toHaveProperty(['metadata', 'annotations', 'wimds.io/mode'])
    })

    test.each([
      ['is excluded', '--set=webhook.excludedNamespaces={default}'],
      [
        'may not be selected',
        '--set-json=webhook.namespaceSelector=[{"key":"a","operator":"Exists"}]',
      ],
    ])('is left out where the namespace of the release %s', async (_, flag) => {
      expect(await template(flag)).not.toContain('helm.sh/hook')
    })
  })

  test('gives the calls of the webhook a priority level unless it is disabled', async () => {
    expect(await render('FlowSchema', { 'flowSchema.enabled': false })).toBeUndefined()
    expect(await render('FlowSchema')).toBeDefined()
  })

  test('names every object by fullnameOverride, and labels it by commonLabels', async () => {
    const output = await template('--set=fullnameOverride=other', '--set=commonLabels.team=shop')
    for (const document of parseAllDocuments(output)) {
      const { metadata } = Manifest.parse(document.toJS())
      expect(metadata.name).toMatch(/^other(?:-tls|-ca-bundle|-secret|-test|-test-wait)?$/)
      expect(metadata.labels['team']).toBe('shop')
    }
  })

  test('passes on what the values say of the NetworkPolicy', async () => {
    const from = [{ ipBlock: { cidr: '10.0.0.0/28' } }]
    const ingress = [{ ports: [{ port: 'https' }], from }]
    expect(await render('NetworkPolicy', { 'networkPolicy.ingress': ingress })).toMatchObject({
      spec: { ingress },
    })
  })

  test('passes on what the values say of the Deployment', async () => {
    const rendered = await render('Deployment', {
      strategy: { rollingUpdate: { maxSurge: 0 } },
      priorityClassName: 'p',
      'podSecurityContext.runAsUser': 7,
      'securityContext.runAsGroup': 8,
    })
    expect(rendered).toMatchObject({ spec: { strategy: { rollingUpdate: { maxSurge: 0 } } } })
    expect(specOf(rendered)).toMatchObject({
      priorityClassName: 'p',
      securityContext: { runAsUser: 7, runAsNonRoot: true },
      containers: [{ securityContext: { runAsGroup: 8 } }],
    })
  })
})
