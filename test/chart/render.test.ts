/** What the chart renders, and the values that it rejects, by each Helm. */
import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { parse, parseAllDocuments, stringify } from 'yaml'
import { z } from 'zod'
import { SET_BY_INJECTION } from '../../src/cluster/injector/injection-flags.ts'
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
   * of their text: that of the kinds depends on the version of Helm.
   */
  const renderTexts = async (...flags: readonly string[]) =>
    parseAllDocuments(await template('--namespace=wimds', ...flags))
      .map((document) =>
        stringify(document.toJS(), { lineWidth: 0 }).replaceAll(CHART_VERSION, 'VERSION'),
      )
      .toSorted()

  /** Returns the objects that differ from those of the default values. */
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
    ['an unknown value', '--set=injektion.mode=env', 'injektion'],
    ['an unknown mode', '--set=injection.mode=iptables', '/injection/mode'],
    [
      'a mode that is not allowed',
      '--set=injection.allowedModes={env}',
      'injection.mode loopback is not in injection.allowedModes',
    ],
    [
      'mode node without its agent',
      '--set=injection.mode=node',
      'injection.mode node is not in injection.allowedModes. Fix: set nodeAgent.enabled=true, which adds it',
    ],
    [
      'a tenant that is neither a GUID nor a domain',
      '--set=injection.tenantId=foo',
      'injection.tenantId "foo" is neither a GUID nor a domain. Fix: set it to the output of `az account show --query tenantId --output tsv`',
    ],
    [
      'a subscription that is not a GUID',
      '--set=injection.instance.subscriptionId=contoso.com',
      'injection.instance.subscriptionId "contoso.com" is not a GUID. Fix: set it to the output of `az account show --query id --output tsv`',
    ],
    [
      'a label of the agent’s pods that its selector has',
      String.raw`--set=nodeAgent.enabled=true,nodeAgent.podLabels.app\.kubernetes\.io/name=mine`,
      'nodeAgent.podLabels must not contain app.kubernetes.io/name',
    ],
    [
      'an annotation of the agent’s pods that asks for injection',
      String.raw`--set=nodeAgent.enabled=true,nodeAgent.podAnnotations.wimds\.io/mode=env`,
      'nodeAgent.podAnnotations must not contain wimds.io/mode',
    ],
    [
      'no ServiceAccount at all',
      '--set=serviceAccount.create=false',
      'serviceAccount.name is needed with serviceAccount.create=false',
    ],
    ['a malformed digest', '--set=image.digest=latest', '/image/digest'],
    ['cert-manager without an issuer', '--set=certificates.source=cert-manager', 'issuerRef'],
    [
      'an issuer without a name',
      '--set=certificates.source=cert-manager,certificates.issuerRef.nam=ca',
      'certificates.issuerRef needs a name',
    ],
    ['a pull secret without a name', '--set-json=imagePullSecrets=[{}]', '/imagePullSecrets/0'],
    [
      'a name that is too long for the labels of the node agent',
      `--set=nameOverride=${'a'.repeat(53)}`,
      '/nameOverride',
    ],
    [
      'a full name that is too long for the names of objects',
      `--set=fullnameOverride=${'a'.repeat(51)}`,
      '/fullnameOverride',
    ],
    [
      'a namespace of the agent that is too long',
      `--set=nodeAgent.namespace=${'a'.repeat(64)}`,
      '/nodeAgent/namespace',
    ],
    [
      'a Secret without a name',
      '--set=certificates.source=secret',
      'is needed with certificates.source=secret',
    ],
    [
      'a caBundle that is no base64',
      '--set=certificates.source=secret,certificates.secretName=tls,certificates.caBundle=notb64',
      'certificates.caBundle is not the base64 of a PEM certificate. Fix: set it to the output of `base64 -w0 ca.crt`',
    ],
    [
      'a certificate that lives for minutes',
      '--set=certificates.lifetime=5m',
      'certificates.lifetime 5m is too short or too long. Fix: set it to 1h up to 87600h',
    ],
    [
      'a certificate that lives for more than ten years',
      '--set=certificates.lifetime=87601h',
      'certificates.lifetime 87601h is too short or too long. Fix: set it to 1h up to 87600h',
    ],
    [
      'the variable of the mode',
      '--set=injection.env.WIMDS_MODE=nft',
      'injection.env must not contain WIMDS_MODE, which injection sets. Fix: use injection.mode',
    ],
    [
      'the variable of the CA',
      '--set=injection.env.WIMDS_CA_FILE=/ca.crt,injection.ca.secret=ca',
      'injection.env.WIMDS_CA_FILE and injection.ca are both set. Fix: remove one',
    ],
    ...[...SET_BY_INJECTION.keys()].map((name): [string, string, string] => [
      `the variable ${name}, as wimds inject does`,
      `--set=injection.env.${name}=x`,
      `injection.env must not contain ${name}, which injection sets. Fix: use `,
    ]),
    [
      'an unknown log level',
      '--set=injection.env.WIMDS_LOG_LEVEL=verbose',
      '/injection/env/WIMDS_LOG_LEVEL',
    ],
    ['a variable that is a number', '--set=injection.env.B=12345678', '/injection/env/B'],
    [
      'a region with capitals',
      '--set=injection.instance.region=West',
      '/injection/instance/region',
    ],
    ['uid 0', '--set=injection.uid=0', '/injection/uid'],
    [
      'a text that is a uid above the largest',
      '--set-string=injection.uid=2147483648',
      'injection.uid 2147483648 is too large. Fix: set it to 1 up to 2147483647, or to none',
    ],
    ['a uid that is a name', '--set=injection.uid=root', '/injection/uid'],
    ['an unknown unit', '--set=injection.resources.memoryLimit=1foo', '/memoryLimit'],
    ['an empty limit', '--set=injection.resources.memoryLimit=', '/memoryLimit'],
    [
      'a memory limit below the request',
      '--set=injection.resources.memoryLimit=32Mi',
      'injection.resources.memoryLimit 32Mi is below memoryRequest 64Mi',
    ],
    [
      'a memory limit below the request in other units',
      '--set-json=injection.resources={"memoryRequest":"1Gi","memoryLimit":"1000M"}',
      'memoryLimit 1000M is below memoryRequest 1Gi',
    ],
    [
      'a CPU limit below the request',
      '--set-json=injection.resources={"cpuRequest":1.5,"cpuLimit":1}',
      'cpuLimit 1 is below cpuRequest 1.5',
    ],
    [
      'a pod label of the selector',
      String.raw`--set=podLabels.app\.kubernetes\.io/name=mine`,
      'podLabels must not contain app.kubernetes.io/name',
    ],
    [
      'two CAs',
      '--set=injection.ca.configMap=a,injection.ca.secret=b',
      'injection.ca.configMap and injection.ca.secret are both set',
    ],
    ['a CA of no valid name', '--set=injection.ca.configMap=My_CA', '/injection/ca/configMap'],
    [
      'an annotation of pods that asks for injection',
      String.raw`--set-string=podAnnotations.wimds\.io/inject=true`,
      'podAnnotations must not contain wimds.io/inject',
    ],
    [
      'hostNetwork with the port of the kubelet',
      '--set=hostNetwork=true',
      "webhook.port 10250 is the kubelet's on every node",
    ],
    [
      'one port for both servers',
      '--set=webhook.port=9440',
      'webhook.port and webhook.adminPort are both 9440',
    ],
    ['a privileged port', '--set=webhook.port=443', '/webhook/port'],
    [
      'an excluded namespace without a name',
      '--set=webhook.excludedNamespaces[0]=',
      '/webhook/excludedNamespaces/0',
    ],
    ['a drain without a unit', '--set=drain=5', '/drain'],
    [
      'a drain that wimds webhook refuses',
      '--set=drain=2h',
      'drain 2h is too long. Fix: set it to 0s up to 1h',
    ],
    [
      'a memory limit that is no quantity',
      '--set=resources.limits.memory=abc',
      'resources.limits.memory "abc" is not a quantity. Fix: set it to a number with a unit, such as 100m or 128Mi',
    ],
    [
      'a CPU request of the node agent that is no quantity',
      '--set=nodeAgent.resources.requests.cpu=1 core',
      'nodeAgent.resources.requests.cpu "1 core" is not a quantity',
    ],
    [
      'a runbook that is no URL',
      '--set=prometheusRule.runbookUrl=abc',
      'prometheusRule.runbookUrl "abc" is not a URL. Fix: set it to one that begins with https:// or http://',
    ],
    [
      'a repository in upper case',
      '--set=image.repository=Acme/wimds',
      'image.repository "Acme/wimds" is not the name of an image. Fix: set it to HOST/PATH',
    ],
    [
      'a name that is none of a Service',
      '--set-string=fullnameOverride=1wimds',
      'the objects would have the name 1wimds, and that of a Service must begin with a letter. Fix: set fullnameOverride',
    ],
    [
      'to create a namespace that exists',
      '--set=nodeAgent.enabled=true,nodeAgent.namespace=kube-system',
      'nodeAgent.namespace kube-system exists, and nodeAgent.createNamespace would create and delete it. Fix: set another namespace, or nodeAgent.createNamespace=false',
    ],
    ['an unknown pull policy', '--set=injection.imagePullPolicy=Sometimes', '/imagePullPolicy'],
    ['a disruption budget of 0', '--set=podDisruptionBudget.maxUnavailable=0', '/maxUnavailable'],
    [
      'a tag with a blank',
      '--set=image.tag=a b',
      'image.tag "a b" is not a tag. Fix: set it to letters, digits and _ . -, such as 0.1.0, or leave it empty',
    ],
    [
      'a repository with a tag',
      '--set=redirectImage.repository=r.example:5000/redirect:1',
      'redirectImage.repository "r.example:5000/redirect:1" is not the name of an image without tag and digest. Fix: set them by redirectImage.tag and redirectImage.digest',
    ],
    ...[':9441', 'foo bar:9441', '999.1.1.1:9441', '1.2.3:9441', '::1:9441', '[a.b]:9441'].map(
      (address): [string, string, string] => [
        `the address ${address}`,
        `--set=nodeAgent.adminListen=${address}`,
        `nodeAgent.adminListen "${address}" is not an address and a port. Fix: set it to ADDRESS:PORT, such as 127.0.0.1:9441`,
      ],
    ),
    [
      'a port above 65535',
      '--set=nodeAgent.adminListen=127.0.0.1:99999',
      'nodeAgent.adminListen "127.0.0.1:99999" has no port from 1 to 65535. Fix: set it to ADDRESS:PORT',
    ],
    [
      'one port for agent and broker',
      '--set=nodeAgent.adminListen=[::]:9442',
      'nodeAgent.adminListen [::]:9442 and nodeAgent.brokerAdminListen 127.0.0.1:9442 have the same port. Fix: set one of them to another port',
    ],
    [
      'a relative directory of the kubelet',
      '--set=nodeAgent.kubeletDirectory=var/lib/kubelet',
      '/nodeAgent/kubeletDirectory',
    ],
  ])('rejects %s', async (_, flag, message) => {
    await expect(template(flag)).rejects.toThrow(message)
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
    const everything =
      '--set=nodeAgent.enabled=true,podMonitor.enabled=true,prometheusRule.enabled=true'
    const output = await template(everything, `--set=${value}=null`).catch(String)
    const name = value.split('.').at(-1) ?? ''
    const isNamed = output.includes(`missing property '${name}'`)
    expect(isNamed || !/^Error|<nil>|%!|=null$|: null$/m.test(output)).toBe(true)
  })

  test.each([
    ['the longest drain', { drain: '1h' }, '--drain=1h'],
    ['a uid as a number', { 'injection.uid': 1501 }, '--uid=1501'],
    ['a uid as a text', { 'injection.uid': '1501' }, '--uid=1501'],
    ['a uid of OpenShift’s range', { 'injection.uid': 1_000_680_000 }, '--uid=1000680000'],
    ['no uid', { 'injection.uid': 'none' }, '--uid=none'],
    [
      'the pull policy of injected containers',
      { 'injection.imagePullPolicy': 'Always' },
      '--image-pull-policy=Always',
    ],
    [
      'a tenant id',
      { 'injection.tenantId': '1111aAbB-1111-4111-8111-111111111111' },
      '--tenant-id=1111aAbB-1111-4111-8111-111111111111',
    ],
    ['a tenant’s domain', { 'injection.tenantId': 'contoso.com' }, '--tenant-id=contoso.com'],
    ['whole CPUs', { 'injection.resources.cpuLimit': 1 }, '--cpu-limit=1'],
    ['a part of a CPU', { 'injection.resources.cpuRequest': 0.05 }, '--cpu-request=0.05'],
    ['bytes', { 'injection.resources.memoryLimit': 134_217_728 }, '--memory-limit=134217728'],
    // In arguments Kubernetes makes $$ a $ and expands $(NAME).
    ['a variable with $', { 'injection.env.B': 'a$$b$(C)' }, '--env=B=a$$$$b$$(C)'],
    ['a variable of digits', { 'injection.env.B': '12345678' }, '--env=B=12345678'],
    [
      'the region of the cluster',
      { 'injection.instance.region': 'westeurope' },
      '--env=WIMDS_INSTANCE_REGION=westeurope',
    ],
    ['the zone of the cluster', { 'injection.instance.zone': '1' }, '--env=WIMDS_INSTANCE_ZONE=1'],
    [
      'the allowed modes',
      { 'injection.allowedModes': ['env', 'loopback'] },
      '--allowed-modes=env,loopback',
    ],
    [
      'a CA of a ConfigMap',
      { 'injection.ca.configMap': 'ca/bundle.pem' },
      '--ca-config-map=ca/bundle.pem',
    ],
    ['a CA of a Secret', { 'injection.ca.secret': 'ca' }, '--ca-secret=ca'],
    ['pass-through', { 'injection.allowPassThrough': true }, '--allow-pass-through'],
    ['NO_PROXY everywhere', { 'injection.alwaysSetNoProxy': true }, '--always-set-no-proxy'],
    ['the port', { 'webhook.port': 8443 }, '--listen=[::]:8443'],
    ['the port of health and metrics', { 'webhook.adminPort': 9000 }, '--admin-listen=[::]:9000'],
    ['an extra flag', { extraArgs: ['--kubernetes-version=1.28'] }, '--kubernetes-version=1.28'],
    [
      'the lifetime of certificates',
      { 'certificates.lifetime': '87600h' },
      '--certificate-lifetime=87600h',
    ],
  ])('renders %s as it was written', async (_, values, flag) => {
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

  describe('the node agent', () => {
    const enabled = { 'nodeAgent.enabled': true }

    test('is updated as the values say', async () => {
      const updateStrategy = {
        type: 'RollingUpdate',
        rollingUpdate: { maxSurge: 0, maxUnavailable: '10%' },
      }
      const values = { ...enabled, 'nodeAgent.updateStrategy': updateStrategy }
      expect(await render('DaemonSet', values)).toMatchObject({ spec: { updateStrategy } })
    })

    test.each([
      [
        'configMap',
        'corporate/bundle.pem',
        {
          configMap: { name: 'corporate', items: [{ key: 'bundle.pem', path: 'ca.crt' }] },
        },
      ],
      [
        'secret',
        'corporate',
        { secret: { secretName: 'corporate', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
      ],
    ])(
      'gives the broker the variables of the sidecars, and their CA from a %s',
      async (kind, name, volume) => {
        const rendered = await render('DaemonSet', {
          ...enabled,
          [`injection.ca.${kind}`]: name,
          'injection.env': { HTTPS_PROXY: 'http://a$(B)', WIMDS_LOG_LEVEL: 'debug', OTHER: 'x' },
        })
        const { containers, volumes } = z
          .object({
            spec: z.object({
              template: z.object({
                spec: z.object({
                  containers: z.tuple([
                    z.object({ env: z.array(z.unknown()), volumeMounts: z.array(z.unknown()) }),
                  ]),
                  volumes: z.array(z.unknown()),
                }),
              }),
            }),
          })
          .parse(rendered).spec.template.spec
        expect(containers[0].env.slice(-3)).toEqual([
          { name: 'HTTPS_PROXY', value: 'http://a$$(B)' },
          { name: 'WIMDS_LOG_LEVEL', value: 'debug' },
          { name: 'WIMDS_CA_FILE', value: '/etc/ssl/wimds/ca.crt' },
        ])
        expect(volumes.at(-1)).toEqual({ name: 'ca', ...volume })
        const mount = { name: 'ca', mountPath: '/etc/ssl/wimds', readOnly: true }
        expect(containers[0].volumeMounts.at(-1)).toEqual(mount)
      },
    )

    test('reads the volumes of pods from the directory of the kubelet', async () => {
      const rendered = await render('DaemonSet', {
        ...enabled,
        'nodeAgent.kubeletDirectory': '/var/lib/k0s/kubelet',
        'nodeAgent.discovery': 'processes',
      })
      expect(rendered).toMatchObject({
        spec: {
          template: {
            spec: {
              volumes: [
                { hostPath: { path: '/var/lib/k0s/kubelet/pods', type: 'Directory' } },
                { hostPath: { path: '/run/wimds', type: 'DirectoryOrCreate' } },
              ],
            },
          },
        },
      })
    })

    test('takes affinity, labels, annotations, flags and variables by the names of the webhook’s', async () => {
      const affinity = { nodeAffinity: { a: 1 } }
      const rendered = await render('DaemonSet', {
        ...enabled,
        'nodeAgent.affinity': affinity,
        'nodeAgent.podLabels.team': 'shop',
        'nodeAgent.podAnnotations.note': 'mine',
        'nodeAgent.extraArgs': ['--log-level=debug'],
        'nodeAgent.extraEnv': [{ name: 'A', value: 'b' }],
      })
      expect(rendered).toMatchObject({
        spec: {
          selector: { matchLabels: { 'app.kubernetes.io/name': 'wimds-node-agent' } },
          template: {
            metadata: {
              labels: { team: 'shop', 'app.kubernetes.io/name': 'wimds-node-agent' },
              annotations: { note: 'mine' },
            },
            spec: {
              affinity,
              containers: [
                {
                  args: expect.arrayContaining(['node-agent', '--log-level=debug']),
                  env: expect.arrayContaining([{ name: 'A', value: 'b' }]),
                },
              ],
            },
          },
        },
      })
    })
  })

  test('one replica does not block the drain of a node', async () => {
    const budget = await render('PodDisruptionBudget', { replicaCount: 1 })
    expect(budget).toMatchObject({ spec: { maxUnavailable: 1 } })
    expect(budget).not.toHaveProperty('spec.minAvailable')
  })

  test('the longest names leave room for what is appended', async () => {
    const name = 'a'.repeat(52)
    const flag = `--set=nameOverride=${name},fullnameOverride=${'b'.repeat(50)},nodeAgent.enabled=true`
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

  const HAS_LABEL = { key: 'wimds.io/inject', operator: 'In', values: ['true'] }

  test('calls the webhook by the label of the namespace alone before Kubernetes 1.30', async () => {
    const output = await template('--kube-version=1.29.0')
    expect(output).not.toMatch(/matchConditions:|kind: ValidatingAdmission|helm.sh\/hook/)
    const [only, ...more] = await webhooks('--kube-version=1.29.0')
    expect(more).toEqual([])
    expect(only?.clientConfig.service.path).toBe('/mutate/namespace')
    expect(only?.namespaceSelector.matchExpressions).toContainEqual(HAS_LABEL)
  })

  const EXCLUDED = { key: 'kubernetes.io/metadata.name', operator: 'NotIn' }

  test('calls the webhook for all pods of no namespace that its own pods are in', async () => {
    const flags = ['--namespace=own', '--set-json=webhook.excludedNamespaces=[]']
    const [annotated, labelled] = await webhooks(...flags)
    expect(annotated?.namespaceSelector.matchExpressions).toHaveLength(1)
    expect(labelled?.namespaceSelector.matchExpressions).toContainEqual({
      ...EXCLUDED,
      values: ['own'],
    })
  })

  test('calls the webhook for all pods of no namespace that the node agent is in', async () => {
    const [, labelled] = await webhooks('--set=nodeAgent.enabled=true,nodeAgent.namespace=agents')
    expect(labelled?.namespaceSelector.matchExpressions).toContainEqual({
      ...EXCLUDED,
      values: expect.arrayContaining(['default', 'agents']),
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
    expect(await render('Deployment', flag)).toMatchObject({
      spec: {
        strategy: { rollingUpdate: { maxUnavailable: 1, maxSurge: 0 } },
        template: { spec: { hostNetwork: true, dnsPolicy: 'ClusterFirstWithHostNet' } },
      },
    })
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

    test('asks for the port of mode node where that alone is allowed', async () => {
      const [pod] = await renderAll('Pod', {
        'nodeAgent.enabled': true,
        'injection.mode': 'node',
        'injection.allowedModes': ['node'],
      })
      const args = ['probe', '--port=64169', '--timeout=30']
      expect(pod).toMatchObject({ spec: { containers: [{ args }] } })
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

  test('gives the calls of the webhook a priority level where the cluster has them', async () => {
    expect(await render('FlowSchema', { 'flowSchema.enabled': false })).toBeUndefined()
    const earlier = await template('--kube-version=1.28.0')
    expect(earlier).not.toContain('flowcontrol.apiserver.k8s.io')
    expect(await template('--kube-version=1.29.0')).toContain('kind: FlowSchema')
  })

  test('names every object by fullnameOverride, and labels it by commonLabels', async () => {
    const output = await template('--set=fullnameOverride=other', '--set=commonLabels.team=shop')
    for (const document of parseAllDocuments(output)) {
      const { metadata } = Manifest.parse(document.toJS())
      expect(metadata.name).toMatch(/^other(?:-tls|-ca-bundle|-secret|-test|-test-wait)?$/)
      expect(metadata.labels['team']).toBe('shop')
    }
  })

  test('uses an existing ServiceAccount', async () => {
    const flag = '--set=serviceAccount.create=false,serviceAccount.name=mine'
    const created = await renderAll('ServiceAccount', flag)
    expect(created.map((each) => Manifest.parse(each).metadata.name)).toEqual(['wimds-test'])
    const output = await template(flag)
    expect(output).toContain('serviceAccountName: "mine"')
    expect(output).toContain("'system:serviceaccount:default:mine'")
  })

  test('sets the priority class that is given', async () => {
    expect(await template('--set=priorityClassName=p')).toContain('priorityClassName: "p"')
  })

  test('passes annotations and the history limit of the Deployment on', async () => {
    const values = { 'deploymentAnnotations.owner': 'platform', revisionHistoryLimit: 0 }
    expect(await render('Deployment', values)).toMatchObject({
      metadata: { annotations: { owner: 'platform' } },
      spec: { revisionHistoryLimit: 0 },
    })
  })

  test('passes more variables and security contexts on', async () => {
    const rendered = await render('Deployment', {
      extraEnv: [{ name: 'A', value: 'b' }],
      'podSecurityContext.runAsUser': 7,
      'securityContext.runAsGroup': 8,
    })
    expect(rendered).toMatchObject({
      spec: {
        template: {
          spec: {
            securityContext: { runAsUser: 7, runAsNonRoot: true },
            containers: [{ env: [{ name: 'A', value: 'b' }], securityContext: { runAsGroup: 8 } }],
          },
        },
      },
    })
  })
})
