/** Mode node: pods without any capability, which the agent of their node routes. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { RELEASE, CHART, helm, imageValues } from './support/chart.ts'
import { testCluster } from './support/cluster.ts'
import { eventually } from './support/eventually.ts'
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
    serviceAccounts: [`${NAMESPACE}:${name}`],
  })),
)

/** The directory of network namespaces, if it is not the usual one of the container runtime. */
const NETNS_DIRECTORY = process.env['NETNS_DIRECTORY']

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
    const phase = ['get', 'pod', 'share', '-o', 'jsonpath={.status.phase}']
    return (await privileged.kubectl(phase)) === 'Succeeded' ? true : undefined
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
    // The app is ready as soon as it runs.
    const { status, body } = await eventually(`${container} of ${name} has a reply`, async () =>
      replyIn(await cluster.namespace.logs(name, container)),
    )
    const token = String(body['access_token'])
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
    const name = await cluster.namespace.kubectl([
      'get',
      'pod',
      'early',
      '-o',
      'jsonpath={.spec.nodeName}',
    ])
    return name === '' ? undefined : name
  })
  await eventually('the event says why', async () => {
    const events = await cluster.namespace.kubectl([
      'get',
      'events',
      '--field-selector=involvedObject.name=early',
      '-o',
      'jsonpath={.items[*].message}',
    ])
    return events.includes(`no node agent on ${node} has routed this pod`) ? events : undefined
  })
  const started = await cluster.namespace.kubectl([
    'get',
    'pod',
    'early',
    '-o',
    'jsonpath={.status.initContainerStatuses[?(@.name=="init")].state}',
  ])
  expect(started).toContain('PodInitializing')
})

test('the chart installs the agent, and the pod that waited goes on', async () => {
  await installAgent()
  await inAgentNamespace('rollout', 'status', AGENT, '--timeout=120s')
  await cluster.namespace.ready('early')
  expect(await clientIdsOf('early')).toEqual([CLIENTS.one, CLIENTS.one])
})

test('an injected pod has no capability, and needs no root', async () => {
  const { spec } = await cluster.namespace.get('pod', 'early')
  expect(JSON.stringify(spec)).not.toMatch(/"add":|"runAsUser":0|privileged/)
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
  expect(await cluster.entra.clientIdOf(token ?? '')).toBe(CLIENTS.one)
})

test('an earlier redirect of a pod outlives its agent, and new pods wait for the next one', async () => {
  await inAgentNamespace('delete', AGENT, '--cascade=foreground', '--wait')
  const still = await cluster.namespace.exec('curl', 'app', ['sh', '-c', curl(TOKEN_PATH)])
  expect(replyIn(still).status).toBe(200)
  await create(askingPod('late', 'two'))
  await installAgent('--set=nodeAgent.discovery=processes')
  await cluster.namespace.ready('late', 120)
  expect(await clientIdsOf('late')).toEqual([CLIENTS.two, CLIENTS.two])
})

test('thirty pods at once are all routed before their containers run', async () => {
  // An upgrade: the new agent starts beside the old one.
  await installAgent()
  await inAgentNamespace('rollout', 'status', AGENT, '--timeout=120s')
  const names = Array.from({ length: 30 }, (_, index) => `many-${index}`)
  // Answered without Entra ID, which is not what is tested here.
  const initScript = curl('/metadata/instance?api-version=2021-02-01')
  await create(...names.map((name) => appPod({ name, account: 'two', initScript, script: STAY })))
  for (const name of names) await cluster.namespace.ready(name, 300)
  const replies = await Promise.all(names.map((name) => cluster.namespace.logs(name, 'init')))
  expect(replies.map((reply) => replyIn(reply).status)).toEqual(names.map(() => 200))
}, 400_000)
