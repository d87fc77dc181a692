/** The chart with policies in place of the webhook. `test/e2e/policy.test.ts` evaluates their expressions. */
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { parse, parseAllDocuments, stringify } from 'yaml'
import { z } from 'zod'
import { SET_BY_INJECTION } from '../../src/injection/injector/injection-settings.ts'
import { PER_POD_SETTINGS } from '../../src/broker/config/node-mode-settings.ts'
import { CHART, HELMS, RELEASE } from './helm.ts'

const VALUES = '--set=injection.by=policy,injection.mode=node,nodeAgent.enabled=true'
const Manifest = z.looseObject({ kind: z.string(), metadata: z.looseObject({ name: z.string() }) })
const Agent = z.object({
  spec: z.object({
    template: z.object({
      spec: z.object({ containers: z.tuple([z.object({ args: z.array(z.string()) })]) }),
    }),
  }),
})
const Role = z.object({ rules: z.array(z.object({ resources: z.array(z.string()) })) })

const readChart = (file: string) => readFileSync(`${CHART}/${file}`, 'utf8')

/** Returns the paths of the values in a YAML text, such as `image.tag`. */
function findPaths(yaml: string): string[] {
  const descend = (value: unknown, path: readonly string[]): string[] => {
    const isMap = typeof value === 'object' && value !== null && !Array.isArray(value)
    const entries = isMap ? Object.entries(value) : []
    if (entries.length === 0) return [path.join('.')]
    return entries.flatMap(([name, each]) => descend(each, [...path, name]))
  }
  return descend(parse(yaml), [])
}

/** The values that policies accept, with all below them: they have a use without the webhook, or leave something out. */
const ACCEPTED = [
  'fullnameOverride commonLabels imagePullSecrets nodeAgent podMonitor prometheusRule dashboard',
  'global image redirectImage gateImage clusterImage webhook.excludedNamespaces webhook.namespaceSelector',
  'injection.by injection.mode injection.tenantId injection.uid injection.audience',
  'injection.ca injection.env injection.resources',
  // What can be left out.
  'flowSchema admissionPolicy networkPolicy',
  // Of the pods of `helm test` too.
  'resources podSecurityContext securityContext nodeSelector tolerations',
].flatMap((line) => line.split(' '))

const isAccepted = (path: string) => ACCEPTED.some((each) => `${path}.`.startsWith(`${each}.`))

test('every value is rejected by wimds.checkPolicy, or accepted for a reason', () => {
  const template = readChart('templates/injection-policy.yaml')
  const [, defaults = ''] = /"wimds.webhookDefaults" -}}(.+?){{- end/s.exec(template) ?? []
  const others = findPaths(readChart('values.yaml')).filter((path) => !isAccepted(path))
  expect(findPaths(defaults).toSorted()).toEqual(others.toSorted())
})

describe.each(HELMS)('Helm $version', ({ run }) => {
  const template = (...flags: readonly string[]) =>
    run('template', RELEASE, CHART, '--namespace=wimds', '--kube-version=1.36.0', VALUES, ...flags)

  const render = async (...flags: readonly string[]) =>
    parseAllDocuments(await template(...flags)).map((document) => Manifest.parse(document.toJS()))

  test('renders the policies of the snapshot', async () => {
    const objects = await render('--show-only=templates/injection-policy.yaml')
    const texts = objects.map(({ kind, spec }) => stringify({ kind, spec }, { lineWidth: 0 }))
    const image = /ghcr.io\/wimds\/wimds-gate:[\w.-]+/g
    const text = texts.toSorted().join('---\n').replaceAll(image, 'GATE')
    await expect(text).toMatchFileSnapshot('golden/policy.yaml')
  })

  test('renders nothing of the webhook, and the right of the agent to read ServiceAccounts', async () => {
    const objects = await render(
      '--skip-tests',
      '--set=podMonitor.enabled=true',
      '--set-json=nodeAgent.scrapers=[{"podSelector":{}}]',
    )
    expect(objects.map(({ kind, metadata }) => `${kind} ${metadata.name}`).toSorted()).toEqual([
      'ClusterRole wimds-node-agent',
      'ClusterRoleBinding wimds-node-agent',
      'DaemonSet wimds-node-agent',
      'Job wimds-uninstall',
      'MutatingAdmissionPolicy wimds',
      'MutatingAdmissionPolicyBinding wimds',
      'Namespace wimds-node-agent',
      'NetworkPolicy wimds-node-agent',
      'PodMonitor wimds-node-agent',
      'PodMonitor wimds-sidecars',
      'ResourceQuota wimds-node-agent',
      'ServiceAccount wimds-node-agent',
      'ServiceAccount wimds-test',
    ])
    const role = objects.find(({ kind }) => kind === 'ClusterRole')
    expect(Role.parse(role).rules.flatMap(({ resources }) => resources)).toContain(
      'serviceaccounts',
    )
  })

  test('has no alert of a webhook', async () => {
    const rules = await template('--set=prometheusRule.enabled=true')
    expect(rules).toContain('WimdsNodeAgentMissing')
    expect(rules).not.toContain('alert: WimdsWebhook')
  })

  test('accepts values that leave something of the webhook out, and all images', async () => {
    const off = ['networkPolicy', 'flowSchema', 'admissionPolicy']
    const flags = off.map((name) => `--set=${name}.enabled=false`)
    const images = '--set=image.tag=v1,redirectImage.tag=v1,webhook.annotations=null'
    expect(await template(...flags, images)).toContain('kind: MutatingAdmissionPolicy')
  })

  test('gives the agent the default tenant', async () => {
    const objects = await render('--set=injection.tenantId=contoso.com')
    const agent = Agent.parse(objects.find(({ kind }) => kind === 'DaemonSet'))
    expect(agent.spec.template.spec.containers[0].args).toContain('--tenant-id=contoso.com')
  })

  test('puts every setting of a pod that the operator can give into the gate', async () => {
    const names = [...PER_POD_SETTINGS].filter((name) => !SET_BY_INJECTION.has(name))
    const env = {
      ...Object.fromEntries(names.map((name) => [name, 'true'])),
      AZURE_AUTHORITY_HOST: String.raw`a'b"c\d`,
      WIMDS_UNLISTED_CLIENT_IDS: 'deny',
      WIMDS_MAX_CONNECTIONS: '100',
      WIMDS_INSTANCE: '{"compute":{"zone":"1"}}',
    }
    const rendered = await template(`--set-json=injection.env=${JSON.stringify(env)}`)
    for (const name of names) expect(rendered).toMatch(new RegExp(`\\['?"?${name}'?"?, `))
    expect(rendered).toContain(String.raw`["AZURE_AUTHORITY_HOST", "a'b\"c\\d"]`)
    expect(rendered).toContain(String.raw`["WIMDS_INSTANCE", "{\"compute\":{\"zone\":\"1\"}}"]`)
    expect(rendered).toContain(`annotations[?'wimds.io/prefetch'].orValue("true")`)
  })

  test.each([
    ['cpuRequest=50m', '{"cpu":"100m","memory":"128Mi"}', '{"memory":"128Mi"}'],
    ['cpuRequest=0.2', '{"cpu":"0.2","memory":"128Mi"}', '{"memory":"128Mi"}'],
    ['cpuLimit=1', '{"cpu":"1","memory":"128Mi"}', '{"cpu":"1","memory":"128Mi"}'],
    ['memoryLimit=1Gi', '{"cpu":"100m","memory":"1Gi"}', '{"memory":"1Gi"}'],
  ])('gives the gate the resources of the values: %s', async (value, guaranteed, limits) => {
    const rendered = await template(
      `--set=injection.resources.${value}`,
      '--show-only=templates/injection-policy.yaml',
    )
    expect(rendered).toContain(`requests: ${guaranteed}, limits: ${guaranteed}\n`)
    expect(rendered).toContain(`"memory":"64Mi"}, limits: ${limits}\n`)
  })

  test('leaves the uid of the gate to the cluster, as OpenShift requires', async () => {
    const rendered = await template(
      '--set=injection.uid=none',
      '--show-only=templates/injection-policy.yaml',
    )
    expect(rendered).toContain('runAsNonRoot: true')
    expect(rendered).not.toContain('runAsUser')
  })

  test.each([
    [
      'without the node agent',
      '--set=nodeAgent.enabled=false',
      'injection.by policy needs the node agent. Fix: set nodeAgent.enabled=true',
    ],
    [
      'in another mode',
      '--set=injection.mode=env',
      'injection.by policy injects only in mode node, but injection.mode is env. Fix: set injection.mode=node, or injection.by=webhook',
    ],
    [
      'before Kubernetes 1.36',
      '--kube-version=1.35.2',
      'injection.by policy needs Kubernetes 1.36, but this is v1.35.2. Fix: upgrade the cluster',
    ],
    [
      'with values of the webhook and of sidecars',
      '--set=replicaCount=3,injection.allowPassThrough=true,webhook.annotations.team=shop,podLabels.team=shop',
      'injection.by=policy ignores these values: injection.allowPassThrough, podLabels, replicaCount, webhook.annotations. Fix: remove them, or set injection.by=webhook',
    ],
    [
      'with a variable that Kubernetes would expand',
      '--set=injection.env.WIMDS_PREFETCH=$(A)',
      'injection.env.WIMDS_PREFETCH contains $(, which the node agent does not expand. Fix: write the value itself',
    ],
    ['by something else', '--set=injection.by=magic', '/injection/by'],
  ])('is refused %s', async (_, flag, message) => {
    await expect(template(flag)).rejects.toThrow(message)
  })
})
