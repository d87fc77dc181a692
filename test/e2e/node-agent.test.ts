/** Mode node: pods without any capability, which the agent of their node routes. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { parse, stringify } from 'yaml'
import { curlInCluster } from './support/around.ts'
import { RELEASE, CHART, helm, imageValues } from './support/chart.ts'
import { testCluster } from './support/cluster.ts'
import { TENANT_ID } from './support/entra.ts'
import { NETNS_DIRECTORY } from './support/environment.ts'
import { eventually } from './support/eventually.ts'
import { meshInit } from './support/mesh.ts'
import { kubectl } from './support/run.ts'
import {
  appPod,
  curl,
  injectedPods,
  legacyPod,
  replyIn,
  serviceAccount,
  STAY,
  TOKEN_PATH,
} from './support/workloads.ts'

const NAMESPACE = 'wimds-e2e-node'
const MESH_NAMESPACE = `${NAMESPACE}-mesh`
const CLIENTS = {
  one: '11111111-1111-4111-8111-111111111111',
  two: '22222222-2222-4222-8222-222222222222',
} as const
type Account = keyof typeof CLIENTS
const ACCOUNTS = Object.entries(CLIENTS).map(([name, id]) => serviceAccount(name, id))
const AGENT = `daemonset/${RELEASE}-node-agent`
const AGENT_NAMESPACE = 'wimds-node-agent'

const cluster = testCluster(
  NAMESPACE,
  ...Object.entries(CLIENTS).map(([name, clientId]) => ({
    clientId,
    serviceAccounts: [`${NAMESPACE}:${name}`, `${MESH_NAMESPACE}:${name}`],
  })),
)

/** Mounts of a node are shared, as a rule; those of a node that runs in a mount namespace may not be. */
async function shareMounts(directory: string): Promise<void> {
  const privileged = await cluster.another('wimds-e2e-mounts')
  const share = `nsenter -t 1 -m -- sh -c 'mount --make-rshared "$(df -P ${directory} | tail -1 | tr -s " " | cut -d" " -f6)"'`
  const pod = appPod({
    name: 'share',
    script: share,
    spec: { hostPID: true, restartPolicy: 'Never', securityContext: {} },
    container: { securityContext: { privileged: true } },
  })
  await privileged.create(pod)
  await eventually('the mounts are shared', async () => {
    const phase = await privileged.field('pod share', '{.status.phase}')
    return phase === 'Succeeded' ? true : undefined
  })
}

afterAll(async () => {
  const objects = await agentObjects()
  await kubectl(['delete', '--ignore-not-found', '-f', '-'], objects)
})

beforeAll(async () => {
  if (NETNS_DIRECTORY !== undefined) await shareMounts(NETNS_DIRECTORY)
  const label = 'pod-security.kubernetes.io/enforce=restricted'
  await kubectl(['label', 'namespace', NAMESPACE, label, '--overwrite'])
  await cluster.namespace.create(...ACCOUNTS)
})

/** Injects in mode node and creates the pods. */
async function create(...pods: readonly object[]): Promise<void> {
  await cluster.namespace.create(await injectedPods('node', ACCOUNTS, pods))
}

const askingPod = (name: string, account: Account) =>
  appPod({ name, account, initScript: curl(TOKEN_PATH), script: `${curl(TOKEN_PATH)}; ${STAY}` })

/** Returns the client ids of the tokens that the init container and the app got. */
async function clientIdsOf(name: string): Promise<string[]> {
  const ids: string[] = []
  for (const container of ['init', 'app']) {
    const { status, body } = await cluster.reply(name, container)
    const token = body['access_token']
    ids.push(status === 200 ? await cluster.entra.clientIdOf(token) : `${status}`)
  }
  return ids
}

/** Renders the agent's objects alone. */
async function agentObjects(...values: readonly string[]): Promise<string> {
  const template = ['template', RELEASE, CHART, '--namespace=wimds', '--kube-version=1.34.0']
  const directory = NETNS_DIRECTORY && `--set=nodeAgent.netnsDirectory=${NETNS_DIRECTORY}`
  const all = [...imageValues(), '--set=nodeAgent.enabled=true', ...values, directory ?? []].flat()
  return await helm(...template, ...all, '--show-only=templates/node-agent.yaml')
}

/** Creates or updates the agent. */
async function installAgent(...values: readonly string[]): Promise<void> {
  await kubectl(['apply', '-f', '-'], await agentObjects(...values))
}

const inAgentNamespace = (...args: readonly string[]) =>
  kubectl(['--namespace', AGENT_NAMESPACE, ...args])

test('without an agent the pod waits, and its event says why and on which node', async () => {
  await create(askingPod('early', 'one'))
  const node = await eventually('the pod has a node', async () => {
    const name = await cluster.namespace.field('pod early', '{.spec.nodeName}')
    return name === '' ? undefined : name
  })
  await eventually('the event says why', async () => {
    const selected = 'events --field-selector=involvedObject.name=early'
    const events = await cluster.namespace.field(selected, '{.items[*].message}')
    return events.includes(`no node agent on ${node} has routed this pod`) ? events : undefined
  })
  const state = '{.status.initContainerStatuses[?(@.name=="init")].state}'
  expect(await cluster.namespace.field('pod early', state)).toContain('PodInitializing')
})

test('the chart installs the agent, and the pod that waited goes on', async () => {
  await installAgent()
  await inAgentNamespace('rollout', 'status', AGENT, '--timeout=120s')
  await cluster.namespace.ready('early')
  expect(await clientIdsOf('early')).toEqual([CLIENTS.one, CLIENTS.one])
})

test('an injected pod has no capability, and needs no root', async () => {
  const spec = await cluster.namespace.field('pod early', '{.spec}')
  expect(spec).not.toMatch(/"add":|"runAsUser":0|privileged/)
})

test('curl and an SDK of 2021 get their own tokens, in two pods at once', async () => {
  await create(askingPod('curl', 'two'), legacyPod('legacy', 'one'))
  await cluster.namespace.ready('curl')
  expect(await clientIdsOf('curl')).toEqual([CLIENTS.two, CLIENTS.two])
  const { access_token: token } = await eventually('the SDK has printed its token', async () => {
    const [line = ''] = (await cluster.namespace.logs('legacy')).split('\n')
    const parsed: Record<string, string> = JSON.parse(line)
    return parsed
  })
  expect(await cluster.entra.clientIdOf(token)).toBe(CLIENTS.one)
})

test('an earlier redirect of a pod outlives its agent, and new pods wait for the next one', async () => {
  await inAgentNamespace('delete', AGENT, '--cascade=foreground', '--wait')
  expect(await cluster.ask('curl')).toMatchObject({ status: 200 })
  await create(askingPod('late', 'two'))
  await installAgent('--set=nodeAgent.discovery=processes')
  await cluster.namespace.ready('late', 120)
  expect(await clientIdsOf('late')).toEqual([CLIENTS.two, CLIENTS.two])
})

test('the earlier redirects of a mesh do not keep a pod from its token', async () => {
  // Its init container has NET_ADMIN; the CNI plugin of a mesh makes the same rules in any namespace.
  const mesh = await cluster.another(MESH_NAMESPACE)
  await mesh.create(...ACCOUNTS)
  const script = `${curl(TOKEN_PATH)}; ${STAY}`
  const pod = appPod({ name: 'mesh', account: 'one', initScript: curl(TOKEN_PATH), script })
  const { spec, ...rest } = parse(await injectedPods('node', ACCOUNTS, [pod]))
  await mesh.create({
    ...rest,
    spec: { ...spec, initContainers: [meshInit, ...spec.initContainers] },
  })
  await mesh.ready('mesh')
  for (const container of ['init', 'app']) {
    const { status, body } = await eventually(`${container} has a reply`, async () =>
      replyIn(await mesh.logs('mesh', container)),
    )
    expect(status).toBe(200)
    expect(await cluster.entra.clientIdOf(body['access_token'])).toBe(CLIENTS.one)
  }
  // The rules are in effect: nothing gets in.
  const ip = await mesh.field('pod mesh', '{.status.podIP}')
  await expect(curlInCluster([`http://${ip}:9169/healthz`])).rejects.toThrow('curl: (7)')
})

test('an identity for some uids is refused to a container with another one', async () => {
  const file = stringify({
    identities: [{ name: 'one', clientId: CLIENTS.one, tenantId: TENANT_ID, allowedUids: [1000] }],
  })
  const configMap = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'identities' },
    data: { 'identities.yaml': file },
  }
  const annotations = { 'wimds.io/config-map': 'identities' }
  const pod = appPod({
    name: 'uids',
    account: 'one',
    annotations,
    initScript: curl(TOKEN_PATH),
    script: `${curl(TOKEN_PATH)}; ${STAY}`,
    container: {
      securityContext: {
        runAsUser: 2000,
        allowPrivilegeEscalation: false,
        capabilities: { drop: ['ALL'] },
      },
    },
  })
  await cluster.namespace.create(configMap)
  await create(pod)
  await cluster.namespace.ready('uids')
  expect(await cluster.reply('uids', 'init')).toMatchObject({ status: 200 })
  const { status, body } = await cluster.reply('uids')
  expect(status).toBe(400)
  expect(body['error_description']).toContain('the caller has the uid 2000')
})

test('thirty pods at once are routed before their containers run, and get their own tokens at the first try', async () => {
  // An upgrade: the new agent starts beside the old one.
  await installAgent()
  await inAgentNamespace('rollout', 'status', AGENT, '--timeout=120s')
  const names = Array.from({ length: 30 }, (_, index) => `many-${index}`)
  const pods = names.map((name, index) => {
    const account = index % 2 === 0 ? 'one' : 'two'
    return appPod({ name, account, initScript: curl(TOKEN_PATH), script: STAY })
  })
  await create(...pods)
  for (const name of names) await cluster.namespace.ready(name, 300)
  const clientIds = names.map(async (name) => {
    const { status, body } = await cluster.reply(name, 'init')
    return status === 200 ? await cluster.entra.clientIdOf(body['access_token']) : body
  })
  expect(await Promise.all(clientIds)).toEqual(
    names.map((_, index) => (index % 2 === 0 ? CLIENTS.one : CLIENTS.two)),
  )
}, 400_000)

test('a Job that ends at once is routed, and no pod has an event of a failed route', async () => {
  const ask = appPod({ name: 'job', account: 'one', script: curl(TOKEN_PATH) })
  await create({ ...ask, spec: { ...ask.spec, restartPolicy: 'Never' } })
  await eventually('the Job has ended', async () => {
    const phase = ['get', 'pod', 'job', '-o', 'jsonpath={.status.phase}']
    return (await cluster.namespace.kubectl(phase)) === 'Succeeded' ? true : undefined
  })
  expect(replyIn(await cluster.namespace.logs('job')).status).toBe(200)
  const selector = '--field-selector=reason=WimdsNotRouted'
  const events = await cluster.namespace.kubectl([
    'get',
    'events',
    selector,
    '-o',
    'jsonpath={.items[*].message}',
  ])
  expect(events).toBe('')
})
