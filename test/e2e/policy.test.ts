/** Injection by the policies of the chart, without the webhook. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { z } from 'zod'
import { CHART, helm, installChart, RELEASE } from './support/chart.ts'
import { testCluster } from './support/cluster.ts'
import { TENANT_ID } from './support/entra.ts'
import { eventually } from './support/eventually.ts'
import type { TestNamespace } from './support/namespace.ts'
import { uninstallAgent } from './support/node-agent.ts'
import { listObjects } from './support/objects.ts'
import { hasMutatingPolicies, needMutatingPolicies } from './support/requirements.ts'
import { kubectl } from './support/run.ts'
import {
  ACCOUNT,
  appPod,
  CLIENT,
  curl,
  injectedPods,
  STAY,
  TOKEN_PATH,
} from './support/workloads.ts'

const NAMESPACE = 'wimds-e2e-policy'
const OPT_IN = { 'wimds.io/inject': 'true' }
const LABEL = 'wimds.io/inject=true'
const GATE = 'wimds-gate'

const cluster = testCluster(NAMESPACE, {
  clientId: CLIENT,
  serviceAccounts: [`${NAMESPACE}:app`, `${NAMESPACE}:late`],
})
let labelled: TestNamespace
let objectsBefore: ReadonlySet<string>

const Container = z.looseObject({
  name: z.string(),
  env: z.array(z.looseObject({ name: z.string(), value: z.string().optional() })).optional(),
  resources: z.unknown(),
  volumeMounts: z.array(z.looseObject({ name: z.string() })).optional(),
})
const Pod = z.object({
  spec: z.object({
    initContainers: z.array(Container).optional(),
    volumes: z.array(z.looseObject({ name: z.string() })).optional(),
  }),
  status: z.object({ qosClass: z.string().optional() }),
})

type Parts = Omit<Parameters<typeof appPod>[0], 'name' | 'script' | 'account'>

/** Returns a pod that opts in. */
const optedIn = ({ annotations, ...parts }: Parts = {}) =>
  appPod({
    name: 'checked',
    account: 'app',
    script: STAY,
    annotations: { ...OPT_IN, ...annotations },
    ...parts,
  })

/** Lets the API server admit the pod without creating it. Returns the pod; throws with the reason of a rejection. */
async function admit(pod: object | string, namespace: TestNamespace = cluster.namespace) {
  const manifest = typeof pod === 'string' ? pod : stringify(pod)
  const args = ['create', '--dry-run=server', '--filename=-', '--output=json']
  return Pod.parse(JSON.parse(await namespace.kubectl(args, manifest)))
}

const namesOf = ({ spec }: z.infer<typeof Pod>) =>
  (spec.initContainers ?? []).map(({ name }) => name)
const gateOf = ({ spec }: z.infer<typeof Pod>) =>
  Container.parse(spec.initContainers?.find(({ name }) => name === GATE))
const ownMounts = (pod: z.infer<typeof Pod>) =>
  gateOf(pod).volumeMounts?.filter(({ name }) => name.startsWith('wimds-'))
const settingsOf = (pod: z.infer<typeof Pod>) =>
  Object.fromEntries((gateOf(pod).env ?? []).map(({ name, value }) => [name, value]))

/** A policy that adds a container before the gate. */
const PREPEND = [
  {
    kind: 'MutatingAdmissionPolicy',
    spec: {
      failurePolicy: 'Fail',
      reinvocationPolicy: 'Never',
      matchConstraints: {
        objectSelector: { matchLabels: { mutated: 'prepend' } },
        resourceRules: [
          { apiGroups: [''], apiVersions: ['v1'], resources: ['pods'], operations: ['CREATE'] },
        ],
      },
      mutations: [
        {
          patchType: 'JSONPatch',
          jsonPatch: {
            expression:
              '[JSONPatch{op: "add", path: "/spec/initContainers/0", value: Object.spec.initContainers{name: "mesh", image: "mesh"}}]',
          },
        },
      ],
    },
  },
  { kind: 'MutatingAdmissionPolicyBinding', spec: { policyName: 'zz-prepend' } },
].map((object) => ({
  apiVersion: 'admissionregistration.k8s.io/v1',
  metadata: { name: 'zz-prepend' },
  ...object,
}))

const annotated = (name: string, value: string) => ({
  annotations: { [`wimds.io/${name}`]: value },
})
const forProxy = (name: string, value: string) => ({
  annotations: { [`azure.workload.identity/${name}`]: value },
})
const OUT = { annotations: { 'wimds.io/inject': 'false', 'wimds.io/unknown': 'x' } }
const PROXY = forProxy('inject-proxy-sidecar', 'true')
const onWindows = (prefix: string) => ({ spec: { nodeSelector: { [`${prefix}/os`]: 'windows' } } })

describe('injection.by policy', () => {
  needMutatingPolicies()

  beforeAll(async () => {
    if (!(await hasMutatingPolicies())) return
    await cluster.another('wimds', 'restricted')
    await uninstallAgent()
    labelled = await cluster.another(`${NAMESPACE}-labelled`)
    await kubectl(['label', 'namespace', labelled.name, LABEL])
    const enforce = 'pod-security.kubernetes.io/enforce=restricted'
    await kubectl(['label', 'namespace', NAMESPACE, enforce, '--overwrite'])
    objectsBefore = await listObjects()
    const values = '--set=injection.by=policy,injection.mode=node,nodeAgent.enabled=true'
    await installChart(CHART, undefined, [values])
    await cluster.namespace.create(ACCOUNT, { ...ACCOUNT, metadata: { name: 'late' } })
    await labelled.create(ACCOUNT)
    await kubectl(['create', '--filename=-'], PREPEND.map((each) => stringify(each)).join('---\n'))
  })
  afterAll(async () => {
    if (objectsBefore === undefined) return
    const names = PREPEND.map(({ kind, metadata }) => `${kind}/${metadata.name}`)
    await kubectl(['delete', '--ignore-not-found', ...names])
    await helm('uninstall', RELEASE, '--namespace=wimds', '--no-hooks', '--ignore-not-found')
  })

  test('the pods of a Deployment get tokens of their account, and there is no webhook', async () => {
    const script = `${curl(TOKEN_PATH)}; ${STAY}`
    const { metadata, spec } = appPod({
      name: 'orders',
      account: 'app',
      initScript: curl(TOKEN_PATH),
      script,
      annotations: OPT_IN,
    })
    await cluster.namespace.create({
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'orders' },
      spec: {
        replicas: 2,
        selector: { matchLabels: { app: 'orders' } },
        template: { metadata: { ...metadata, name: undefined }, spec },
      },
    })
    await cluster.namespace.kubectl(['rollout', 'status', 'deployment/orders', '--timeout=80s'])
    const names = await cluster.namespace.field('pods -l app=orders', '{.items[*].metadata.name}')
    for (const name of names.split(' ')) {
      for (const container of ['init', 'app']) {
        const { body } = await cluster.reply(name, container)
        expect(await cluster.entra.clientIdOf(body['access_token'])).toBe(CLIENT)
      }
      expect(await cluster.namespace.field(`pod ${name}`, '{.spec.containers[*].name}')).toBe('app')
    }
    expect(await kubectl(['get', 'pods', '--namespace=wimds', '--output=name'])).toBe('')
    const configurations = await kubectl(['get', 'mutatingwebhookconfigurations', '--output=name'])
    expect(configurations).not.toContain(`/${RELEASE}`)
  })

  test('wimds inject adds the same gate and volume, and its pods are admitted as they are', async () => {
    const injected = await injectedPods('node', [ACCOUNT], [optedIn()])
    const [byHand, byPolicy] = [await admit(injected), await admit(optedIn())]
    // The mount of the API's token is named after the pod's own volume, which differs.
    const others = { env: [], volumeMounts: [] }
    expect({ ...gateOf(byPolicy), ...others }).toEqual({ ...gateOf(byHand), ...others })
    expect(ownMounts(byPolicy)).toEqual(ownMounts(byHand))
    const { AZURE_CLIENT_ID: _, AZURE_TENANT_ID: __, ...settings } = settingsOf(byHand)
    expect(settingsOf(byPolicy)).toMatchObject(settings)
    const volumeOf = ({ spec }: typeof byHand) =>
      spec.volumes?.filter(({ name }) => name === 'wimds-token')
    expect(volumeOf(byPolicy)).toEqual(volumeOf(byHand))
    expect(namesOf(byHand)).toEqual([GATE])
  })

  test.each<[string, readonly string[], Parts, string?]>([
    ['has no annotation', [], {}],
    ['opts out', [], OUT],
    ['has only another annotation', [], annotated('port', '9000')],
    ['has a port for another proxy', [], forProxy('proxy-sidecar-port', '80')],
    ['has a lifetime of another token', [], forProxy('service-account-token-expiration', '600')],
    ['asks for the proxy of azure-workload-identity', [GATE], PROXY],
    ['gets that proxy', [], { ...PROXY, labels: { 'azure.workload.identity/use': 'true' } }],
    ['is in a namespace with the label', [GATE], {}, 'labelled'],
    ['opts out there', [], OUT, 'labelled'],
    [
      'is there on the network of its node',
      [],
      { annotations: OPT_IN, spec: { hostNetwork: true } },
      'labelled',
    ],
    ['opts in on Windows', [], { annotations: OPT_IN, ...onWindows('kubernetes.io') }],
    [
      'opts in on Windows by its earlier label',
      [],
      { annotations: OPT_IN, ...onWindows('beta.kubernetes.io') },
    ],
  ])('a pod that %s gets the init containers %j', async (_, expected, parts, place) => {
    const pod = appPod({ name: 'plain', account: 'app', script: STAY, ...parts })
    const admitted = await admit(pod, place === undefined ? cluster.namespace : labelled)
    expect(namesOf(admitted)).toEqual(expected)
  })

  test('the gate comes before other init containers, and the policy trims the values of annotations', async () => {
    const annotations = {
      'wimds.io/inject': ' true',
      'wimds.io/port': ' 9000 ',
      'wimds.io/prefetch': 'https://vault.azure.net',
      'wimds.io/config-map': 'identities',
      'azure.workload.identity/service-account-token-expiration': '7200',
      'wimds.io/memory-limit': '1Gi',
    }
    const spec = { volumes: [{ name: 'data', emptyDir: {} }], automountServiceAccountToken: false }
    const pod = await admit(optedIn({ annotations, initScript: 'true', spec }))
    expect(namesOf(pod)).toEqual([GATE, 'init'])
    expect(settingsOf(pod)).toMatchObject({
      WIMDS_LISTEN: '127.0.0.1:9000',
      WIMDS_PREFETCH: 'https://vault.azure.net',
      WIMDS_CONFIG: '/etc/wimds/identities.yaml',
    })
    expect(pod.spec.volumes?.map(({ name }) => name)).toEqual([
      'data',
      'wimds-token',
      'wimds-config',
    ])
    expect(JSON.stringify(pod.spec.volumes)).toContain('"expirationSeconds":7200')
    expect(gateOf(pod).volumeMounts).toHaveLength(2)
  })

  test('a pod keeps its QoS class and its pod-level resources', async () => {
    const limits = { cpu: '1', memory: '128Mi' }
    const guaranteed = await admit(optedIn({ container: { resources: { limits } } }))
    expect(guaranteed.status.qosClass).toBe('Guaranteed')
    const whole = await admit(optedIn({ spec: { resources: { limits, requests: limits } } }))
    expect(gateOf(whole).resources).toEqual({})
  })

  test('moves the gate before a container that another policy adds', async () => {
    const pod = await admit(
      optedIn({ labels: { mutated: 'prepend' }, initScript: 'true' }),
      labelled,
    )
    expect(namesOf(pod)).toEqual([GATE, 'mesh', 'init'])
  })

  test('does not change a running pod whose metadata changes', async () => {
    const [name = ''] = (
      await cluster.namespace.field('pods -l app=orders', '{.items[*].metadata.name}')
    ).split(' ')
    await cluster.namespace.kubectl(['label', 'pod', name, 'changed=yes'])
    const annotate = ['annotate', 'pod', name, 'wimds.io/mode=nft', '--overwrite']
    expect(await cluster.namespace.kubectl(annotate)).toContain('annotated')
  })

  test('a pod waits until its ServiceAccount names a tenant, and its event says so', async () => {
    const script = `${curl(TOKEN_PATH)}; ${STAY}`
    await cluster.namespace.create(
      appPod({ name: 'late', account: 'late', script, annotations: OPT_IN }),
    )
    const events = 'events --field-selector=reason=WimdsNotRouted,involvedObject.name=late'
    await eventually('the event says so', async () => {
      const messages = await cluster.namespace.field(events, '{.items[*].message}')
      return messages.includes(`annotate the ServiceAccount ${NAMESPACE}/late`) || undefined
    })
    const ids = [`client-id=${CLIENT}`, `tenant-id=${TENANT_ID}`]
    const annotations = ids.map((id) => `azure.workload.identity/${id}`)
    await cluster.namespace.kubectl(['annotate', 'serviceaccount', 'late', ...annotations])
    await cluster.namespace.ready('late', 80)
    const { body } = await cluster.reply('late')
    expect(await cluster.entra.clientIdOf(body['access_token'])).toBe(CLIENT)
  })

  test('helm test succeeds, and helm uninstall leaves nothing', async () => {
    expect(await helm('test', RELEASE, '--namespace=wimds', '--timeout=80s')).toContain('Succeeded')
    // The check before the uninstall fails while it finds injected pods.
    await cluster.namespace.kubectl(['delete', 'deployments,pods', '--all', '--now'])
    await helm('uninstall', RELEASE, '--namespace=wimds', '--wait')
    const plain = await admit(optedIn())
    expect(namesOf(plain)).toEqual([])
    await eventually('the cluster is as it was', async () => {
      const left = [...(await listObjects())].filter((object) => !objectsBefore.has(object))
      const own = /wimds-e2e-policy|zz-/
      expect(left.filter((object) => !own.test(object))).toEqual([])
      return true
    })
  })
})
