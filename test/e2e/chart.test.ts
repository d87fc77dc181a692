/** What the chart renders, and the values that it rejects. */
import { expect, test } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { z } from 'zod'
import { CHART, helm, RELEASE } from './support/chart.ts'

/** Renders for a current Kubernetes; a later flag of the same name takes precedence. */
const template = (...flags: readonly string[]) =>
  helm('template', RELEASE, CHART, '--kube-version=1.34.0', ...flags)

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

/** Returns the only object of that kind, or undefined. Values are an object or a flag. */
async function render(kind: string, values: object | string = {}): Promise<unknown> {
  const flag = typeof values === 'string' ? values : `--set-json=${assignments(values)}`
  const documents = parseAllDocuments(await template(...(flag === '--set-json=' ? [] : [flag])))
  const [found, ...more] = documents.flatMap((document): unknown[] => {
    // A duplicate key would be an error.
    expect(document.errors).toEqual([])
    const object: unknown = document.toJS()
    return Manifest.safeParse(object).data?.kind === kind ? [object] : []
  })
  expect(more).toEqual([])
  return found
}

/** Keeps the types of a values file. */
const assignments = (values: object) =>
  Object.entries(values)
    .map(([name, value]) => `${name}=${JSON.stringify(value)}`)
    .join(',')

const deployment = async (values: object | string = {}) =>
  Deployment.parse(await render('Deployment', values)).spec

const argsOf = async (values: object | string) =>
  (await deployment(values)).template.spec.containers[0].args

test('passes helm lint', async () => {
  expect(await helm('lint', '--strict', CHART)).toContain('0 chart(s) failed')
})

test.each([
  ['an unknown value', '--set=injektion.mode=env', 'injektion'],
  ['an unknown mode', '--set=injection.mode=iptables', '/injection/mode'],
  ['an unknown allowed mode', '--set=injection.allowedModes={iptables}', '/injection/allowedModes'],
  [
    'a mode that is not allowed',
    '--set=injection.allowedModes={env}',
    'injection.mode loopback is not in injection.allowedModes',
  ],
  [
    'no ServiceAccount at all',
    '--set=serviceAccount.create=false',
    'serviceAccount.name is needed with serviceAccount.create=false',
  ],
  ['a malformed digest', '--set=image.digest=latest', '/image/digest'],
  ['cert-manager without an issuer', '--set=certificates.source=cert-manager', 'issuerRef'],
  [
    'a Secret without a name',
    '--set=certificates.source=secret',
    'is needed with certificates.source=secret',
  ],
  ['a variable that is a number', '--set=injection.env.B=12345678', '/injection/env/B'],
  ['a variable that is true', '--set=injection.env.B=true', '/injection/env/B'],
  ['a region with capitals', '--set=injection.instance.region=West', '/injection/instance/region'],
  ['uid 0', '--set=injection.uid=0', '/injection/uid'],
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
  ['a drain without a unit', '--set=drain=5', '/drain'],
  ['a disruption budget of 0', '--set=podDisruptionBudget.maxUnavailable=0', '/maxUnavailable'],
])('rejects %s', async (_, flag, message) => {
  await expect(template(flag)).rejects.toThrow(message)
})

test.each([
  ['a uid as a number', { 'injection.uid': 1501 }, '--uid=1501'],
  ['a uid as a text', { 'injection.uid': '1501' }, '--uid=1501'],
  ['a uid of OpenShift’s range', { 'injection.uid': 1_000_680_000 }, '--uid=1000680000'],
  ['no uid', { 'injection.uid': 'none' }, '--uid=none'],
  ['whole CPUs', { 'injection.resources.cpuLimit': 1 }, '--cpu-limit=1'],
  ['a part of a CPU', { 'injection.resources.cpuRequest': 0.05 }, '--cpu-request=0.05'],
  ['bytes', { 'injection.resources.memoryLimit': 134_217_728 }, '--memory-limit=134217728'],
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
  ['an extra flag', { extraArgs: ['--kubernetes-version=1.28'] }, '--kubernetes-version=1.28'],
  ['a client CA', { 'webhook.clientCaSecret': 'ca' }, '--client-ca=/etc/wimds/client-ca/ca.crt'],
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

test('podLabels replace the labels of pods but those of the selector', async () => {
  const version = { 'app.kubernetes.io/version': 'mine', team: 'shop' }
  const { selector, template: pod } = await deployment({ podLabels: version })
  expect(pod.metadata.labels).toMatchObject({ ...selector.matchLabels, ...version })
})

test('one replica does not block the drain of a node', async () => {
  const budget = await render('PodDisruptionBudget', { replicaCount: 1 })
  expect(budget).toMatchObject({ spec: { maxUnavailable: 1 } })
  expect(budget).not.toHaveProperty('spec.minAvailable')
})

test('needs no Secret, Role or policy with a certificate of cert-manager', async () => {
  const flags = ['--set=certificates.source=cert-manager', '--set=certificates.issuerRef.name=ca']
  const output = await template(...flags)
  expect(output).toContain('cert-manager.io/inject-ca-from: default/wimds')
  expect(output).toContain('--cert-dir=/tls')
  expect(output).not.toMatch(/kind: (?:Role|Secret|ValidatingAdmissionPolicy)$/m)
})

test('selects namespaces by label before Kubernetes 1.30', async () => {
  const output = await template('--kube-version=1.29.0')
  expect(output).not.toMatch(/matchConditions:|kind: ValidatingAdmission/)
  expect(output).toContain("values: ['true']")
})

test('may read ServiceAccounts one by one only', async () => {
  const role = await render('ClusterRole')
  expect(role).toMatchObject({
    rules: [
      { resources: ['serviceaccounts'], verbs: ['get'] },
      { resources: ['mutatingwebhookconfigurations'], resourceNames: ['wimds'] },
    ],
  })
})

test('gives the calls of the webhook a priority level', async () => {
  expect(await render('FlowSchema')).toMatchObject({
    spec: { priorityLevelConfiguration: { name: 'wimds' } },
  })
  expect(await render('PriorityLevelConfiguration')).toMatchObject({ metadata: { name: 'wimds' } })
  expect(await render('FlowSchema', { 'flowSchema.enabled': false })).toBeUndefined()
})

test('names every object by fullnameOverride, and labels it by commonLabels', async () => {
  const output = await template('--set=fullnameOverride=other', '--set=commonLabels.team=shop')
  for (const document of parseAllDocuments(output)) {
    const { metadata } = Manifest.parse(document.toJS())
    expect(metadata.name).toMatch(/^other(?:-tls|-ca-bundle|-secret)?$/)
    expect(metadata.labels['team']).toBe('shop')
  }
})

test('uses an existing ServiceAccount', async () => {
  const flags = ['--set=serviceAccount.create=false', '--set=serviceAccount.name=mine']
  const output = await template(...flags)
  expect(output).not.toContain('kind: ServiceAccount\nmetadata')
  expect(output).toContain('serviceAccountName: mine')
  expect(output).toContain("'system:serviceaccount:default:mine'")
})

test('sets no priority class by default, and any that is given', async () => {
  expect(await template()).not.toContain('priorityClassName')
  expect(await template('--set=priorityClassName=p')).toContain('priorityClassName: p')
})
