/** What the chart is rendered to, and the values that it refuses. */
import { expect, test } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { z } from 'zod'
import { CHART, helm, RELEASE } from './support/chart.ts'

/** Rendered for a Kubernetes of today; a later flag of the same name goes before. */
const template = (...flags: readonly string[]) =>
  helm('template', RELEASE, CHART, '--kube-version=1.34.0', ...flags)

const Manifest = z.looseObject({
  kind: z.string(),
  metadata: z.looseObject({ labels: z.record(z.string(), z.string()) }),
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

/** The one object of that kind, with these values: an object, or `--set` and its like. */
async function rendered(kind: string, values: object | string = {}): Promise<unknown> {
  const flag = typeof values === 'string' ? values : `--set-json=${assignments(values)}`
  const documents = parseAllDocuments(await template(...(flag === '--set-json=' ? [] : [flag])))
  const [found, ...more] = documents.flatMap((document): unknown[] => {
    // Keys that are there twice would be an error.
    expect(document.errors).toEqual([])
    const object: unknown = document.toJS()
    return Manifest.safeParse(object).data?.kind === kind ? [object] : []
  })
  expect(more).toEqual([])
  return found
}

/** As in a values file: a number is one, and a text is one. */
const assignments = (values: object) =>
  Object.entries(values)
    .map(([name, value]) => `${name}=${JSON.stringify(value)}`)
    .join(',')

const deployment = async (values: object | string = {}) =>
  Deployment.parse(await rendered('Deployment', values)).spec

const argsOf = async (values: object | string) =>
  (await deployment(values)).template.spec.containers[0].args

test('passes helm lint', async () => {
  expect(await helm('lint', '--strict', CHART)).toContain('0 chart(s) failed')
})

test.each([
  ['an unknown value', '--set=injektion.mode=env', 'injektion'],
  ['an unknown mode', '--set=injection.mode=iptables', '/injection/mode'],
  ['a digest that is none', '--set=image.digest=latest', '/image/digest'],
  ['cert-manager without an issuer', '--set=certificates.source=cert-manager', 'issuerRef'],
  [
    'a Secret without a name',
    '--set=certificates.source=secret',
    'is needed with certificates.source=secret',
  ],
  ['a variable that is a number', '--set=injection.env.B=12345678', '/injection/env/B'],
  ['a variable that is true', '--set=injection.env.B=true', '/injection/env/B'],
  ['uid 0', '--set=injection.uid=0', '/injection/uid'],
  ['a uid that is a name', '--set=injection.uid=root', '/injection/uid'],
  ['an unknown unit', '--set=injection.resources.memoryLimit=1foo', '/memoryLimit'],
  ['a limit of nothing', '--set=injection.resources.memoryLimit=', '/memoryLimit'],
  [
    'less memory than is asked for',
    '--set=injection.resources.memoryLimit=32Mi',
    'injection.resources.memoryLimit 32Mi is below memoryRequest 64Mi',
  ],
  [
    'less memory than is asked for, in other units',
    '--set-json=injection.resources={"memoryRequest":"1Gi","memoryLimit":"1000M"}',
    'memoryLimit 1000M is below memoryRequest 1Gi',
  ],
  [
    'less CPU than is asked for',
    '--set-json=injection.resources={"cpuRequest":1.5,"cpuLimit":1}',
    'cpuLimit 1 is below cpuRequest 1.5',
  ],
  [
    'a label that is the selector’s',
    String.raw`--set=podLabels.app\.kubernetes\.io/name=mine`,
    'podLabels must not hold app.kubernetes.io/name',
  ],
  ['a drain without a unit', '--set=drain=5', '/drain'],
  ['a budget that lets no pod go', '--set=podDisruptionBudget.maxUnavailable=0', '/maxUnavailable'],
])('refuses %s', async (_, flag, message) => {
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
])('takes %s as it was written', async (_, values, flag) => {
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

test('pods have the labels that their selector wants, and may have others in place of the rest', async () => {
  const version = { 'app.kubernetes.io/version': 'mine', team: 'shop' }
  const { selector, template: pod } = await deployment({ podLabels: version })
  expect(pod.metadata.labels).toMatchObject({ ...selector.matchLabels, ...version })
})

test('a drain of a node can always go on', async () => {
  const budget = await rendered('PodDisruptionBudget', { replicas: 1 })
  expect(budget).toMatchObject({ spec: { maxUnavailable: 1 } })
  expect(budget).not.toHaveProperty('spec.minAvailable')
})

test('takes a certificate of cert-manager’s, and then makes none and needs no more rights', async () => {
  const flags = ['--set=certificates.source=cert-manager', '--set=certificates.issuerRef.name=ca']
  const output = await template(...flags)
  expect(output).toContain('cert-manager.io/inject-ca-from: default/wimds')
  expect(output).toContain('--cert-dir=/tls')
  expect(output).not.toMatch(/kind: (?:Role|Secret)$/m)
})

test('before Kubernetes 1.30 only namespaces that ask are looked at', async () => {
  const output = await template('--kube-version=1.29.0')
  expect(output).not.toContain('matchConditions')
  expect(output).toContain('values: [enabled]')
})
