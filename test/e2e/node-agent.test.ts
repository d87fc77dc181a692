/** Mode node: pods without a sidecar, which the broker of their node serves. */
import { beforeAll, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { testCluster } from './support/cluster.ts'
import { TENANT_ID } from './support/entra.ts'
import { eventually } from './support/eventually.ts'
import type { TestNamespace } from './support/namespace.ts'
import { agentReady, deleteAgent, installAgent, uninstallAgent } from './support/node-agent.ts'
import { runOnNode } from './support/nodes.ts'
import { kubectl } from './support/run.ts'
import {
  appPod,
  curl,
  injectedPods,
  METADATA,
  replyIn,
  serviceAccount,
  STAY,
  TOKEN_PATH,
} from './support/workloads.ts'

const NAMESPACE = 'wimds-e2e-node'
const PRIVILEGED_NAMESPACE = `${NAMESPACE}-privileged`
const CLIENTS = {
  one: '11111111-1111-4111-8111-111111111111',
  two: '22222222-2222-4222-8222-222222222222',
  fleet: '33333333-3333-4333-8333-333333333333',
} as const
type Account = keyof typeof CLIENTS
const ACCOUNTS = Object.entries(CLIENTS).map(([name, id]) => serviceAccount(name, id))

const cluster = testCluster(
  NAMESPACE,
  ...Object.entries(CLIENTS).map(([name, clientId]) => ({
    clientId,
    serviceAccounts: [NAMESPACE, PRIVILEGED_NAMESPACE].map((namespace) => `${namespace}:${name}`),
  })),
)

/** A namespace that admits pods with all rights. */
let privileged: TestNamespace

beforeAll(async () => {
  await uninstallAgent()
  const label = 'pod-security.kubernetes.io/enforce=restricted'
  await kubectl(['label', 'namespace', NAMESPACE, label, '--overwrite'])
  await cluster.namespace.create(...ACCOUNTS)
  privileged = await cluster.another(PRIVILEGED_NAMESPACE)
  await privileged.create(...ACCOUNTS)
})

const nodeOf = (pod: string) => cluster.namespace.field(`pod ${pod}`, '{.spec.nodeName}')

/** Injects the pods in mode node, and creates them. */
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

test('without an agent the pod waits, and its gate names the agent and the node', async () => {
  await create(askingPod('early', 'one'))
  const node = await eventually('the pod has a node', async () => {
    const name = await nodeOf('early')
    return name === '' ? undefined : name
  })
  await eventually('the gate says why', async () => {
    const log = await cluster.namespace.logs('early', 'wimds-gate')
    return log.includes(`waits for the node agent of wimds on ${node}`) ? log : undefined
  })
  const state = '{.status.initContainerStatuses[?(@.name=="init")].state}'
  expect(await cluster.namespace.field('pod early', state)).toContain('PodInitializing')
})

test('the chart installs the agent, and the pod that waited goes on', async () => {
  await installAgent()
  await agentReady()
  await create(askingPod('curl', 'two'))
  await cluster.namespace.ready('early')
  expect(await clientIdsOf('early')).toEqual([CLIENTS.one, CLIENTS.one])
  await cluster.namespace.ready('curl')
})

const CALLERS = 4
/** Requests tokens one after the other, and prints a line for each: curl's exit code and the status. */
const LOAD = `while :; do curl -s -o /dev/null -m 60 -w '%{exitcode} %{http_code}\\n' -H Metadata:true '${METADATA}${TOKEN_PATH}'; done`

/** Runs the action while several callers ask for tokens. Returns how often each outcome was seen. */
async function outcomesDuring(name: string, action: () => Promise<void>) {
  const callers = Array.from({ length: CALLERS }, () => LOAD).join(' & ')
  const pod = appPod({ name, account: 'one', script: `${callers} & ${STAY}` })
  await create(pod)
  await cluster.namespace.ready(name)
  await action()
  const before = (await cluster.namespace.logs(name)).split('\n').length
  await eventually('callers are answered afterwards', async () => {
    const lines = (await cluster.namespace.logs(name)).split('\n')
    return lines.length > before + 50 ? true : undefined
  })
  const outcomes = new Map<string, number>()
  for (const line of (await cluster.namespace.logs(name)).trim().split('\n')) {
    outcomes.set(line, (outcomes.get(line) ?? 0) + 1)
  }
  await cluster.namespace.kubectl(['delete', 'pod', name, '--now', '--wait=false'])
  return Object.fromEntries(outcomes)
}

const ANSWERED = '0 200'
const REFUSED = '7 000'

/** Counts the requests that were not answered. */
const countLost = (outcomes: Readonly<Record<string, number>>) =>
  Object.entries(outcomes).reduce(
    (sum, [name, count]) => (name === ANSWERED ? sum : sum + count),
    0,
  )

test('a killed broker loses at most the requests in flight, and no connection is refused', async () => {
  const outcomes = await outcomesDuring('killed', async () => {
    const kill = 'pkill -9 -f "[w]imds.js node-broker"'
    await runOnNode(privileged, await nodeOf('killed'), kill)
  })
  expect(outcomes[ANSWERED]).toBeGreaterThan(20)
  expect(outcomes).not.toHaveProperty([REFUSED])
  expect(countLost(outcomes)).toBeLessThanOrEqual(CALLERS)
})

test('an agent that is replaced refuses no request', async () => {
  const outcomes = await outcomesDuring('upgraded', async () => {
    await installAgent('--set=nodeAgent.podLabels.version=next')
    await agentReady()
  })
  expect(Object.keys(outcomes)).toEqual([ANSWERED])
})

test('requests wait while no agent runs, and new pods wait for the next agent', async () => {
  const outcomes = await outcomesDuring('waiting', async () => {
    await deleteAgent()
    await create(askingPod('late', 'two'))
    await installAgent()
    await cluster.namespace.ready('late', 120)
  })
  expect(outcomes[ANSWERED]).toBeGreaterThan(20)
  expect(outcomes).not.toHaveProperty([REFUSED])
  expect(countLost(outcomes)).toBeLessThanOrEqual(CALLERS)
  expect(await clientIdsOf('late')).toEqual([CLIENTS.two, CLIENTS.two])
})

test('an agent that starts while the API server is away serves the pods that run', async () => {
  await deleteAgent()
  const away = '[{"name":"KUBERNETES_SERVICE_PORT","value":"1"}]'
  await installAgent(`--set-json=nodeAgent.extraEnv=${away}`)
  expect(await cluster.ask('curl')).toMatchObject({ status: 200 })
  await installAgent()
  await agentReady()
})

test('a neighbour that claims the address of a pod gets no token but its own', async ({ skip }) => {
  const victim = await cluster.namespace.field('pod curl', '{.status.podIP}')
  skip(victim.includes(':'), 'no request to 169.254.169.254 can come from an IPv6 address')
  const claim = `ip address add ${victim}/32 dev lo`
  const ask = curl(TOKEN_PATH).replace('curl ', `curl --interface ${victim} `)
  const container = {
    securityContext: { runAsUser: 0, runAsNonRoot: false, capabilities: { add: ['NET_ADMIN'] } },
  }
  const spec = { nodeName: await nodeOf('curl') }
  const attacker = appPod({
    name: 'claim',
    account: 'one',
    script: `${claim}; ${ask}; ${STAY}`,
    container,
    spec,
  })
  // A pod without a gate, so not of mode node.
  const stranger = appPod({
    name: 'stranger',
    script: `${claim}; ${ask}; ${STAY}`,
    container,
    spec,
  })
  await privileged.create(await injectedPods('node', ACCOUNTS, [attacker]), stranger)
  await privileged.ready('claim')
  const reply = await eventually('the neighbour has a reply', async () =>
    replyIn(await privileged.logs('claim')),
  )
  expect(await cluster.entra.clientIdOf(reply.body['access_token'])).toBe(CLIENTS.one)
  await privileged.ready('stranger')
  const stolen = await eventually('the stranger has an answer', async () => {
    const log = await privileged.logs('stranger')
    return log === '' ? undefined : log
  })
  expect(stolen).not.toContain('access_token')
  expect(await clientIdsOf('curl')).toEqual([CLIENTS.two, CLIENTS.two])
})

test('the broker reads a pod’s identities file, and gives an identity no token for a resource outside its list', async () => {
  const [two, one] = (['two', 'one'] as const).map((name) => ({
    name,
    clientId: CLIENTS[name],
    tenantId: TENANT_ID,
  }))
  const identities = [two, { ...one, resources: ['https://storage.azure.com'] }]
  await cluster.namespace.create({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'identities' },
    data: { 'identities.yaml': stringify({ identities }) },
  })
  await create(
    appPod({
      name: 'listed',
      account: 'two',
      annotations: { 'wimds.io/config-map': 'identities' },
      initScript: curl(`${TOKEN_PATH}&client_id=${CLIENTS.two}`),
      script: `${curl(`${TOKEN_PATH}&client_id=${CLIENTS.one}`)}; ${STAY}`,
    }),
  )
  await cluster.namespace.ready('listed')
  const allowed = await cluster.reply('listed', 'init')
  expect(await cluster.entra.clientIdOf(allowed.body['access_token'])).toBe(CLIENTS.two)
  expect((await cluster.reply('listed')).status).toBe(400)
})

test('a pod in a user namespace is served', async ({ skip }) => {
  const runtime = '{.items[0].status.nodeInfo.containerRuntimeVersion}'
  const version = await kubectl(['get', 'nodes', '-o', `jsonpath=${runtime}`])
  skip(!/containerd:\/\/[2-9]/.test(version), `hostUsers: false needs containerd 2, not ${version}`)
  const pod = appPod({ name: 'users', account: 'one', initScript: curl(TOKEN_PATH), script: STAY })
  await create({ ...pod, spec: { ...pod.spec, hostUsers: false } })
  await cluster.namespace.ready('users')
  const { status, body } = await cluster.reply('users', 'init')
  expect(status).toBe(200)
  expect(await cluster.entra.clientIdOf(body['access_token'])).toBe(CLIENTS.one)
})

test('ten replicas at once get their token at the first try, with one exchange per node', async () => {
  const issued = await cluster.entra.issued()
  const names = Array.from({ length: 10 }, (_, index) => `many-${index}`)
  const pods = names.map((name) =>
    appPod({ name, account: 'fleet', initScript: curl(TOKEN_PATH), script: STAY }),
  )
  await create(...pods)
  for (const name of names) await cluster.namespace.ready(name, 300)
  for (const name of names) {
    const { body } = await cluster.reply(name, 'init')
    expect(await cluster.entra.clientIdOf(body['access_token'])).toBe(CLIENTS.fleet)
  }
  const nodes = new Set(await Promise.all(names.map(nodeOf)))
  expect((await cluster.entra.issued()) - issued).toBe(nodes.size)
}, 400_000)

test('Jobs that end at once get their tokens, and no pod has an event of a failure', async () => {
  const names = ['job-1', 'job-2']
  const jobs = names.map((name) => {
    const { spec, ...pod } = appPod({ name, account: 'one', script: curl(TOKEN_PATH) })
    return { ...pod, spec: { ...spec, restartPolicy: 'Never' } }
  })
  await create(...jobs)
  for (const name of names) {
    await eventually('the Job has ended', async () => {
      const phase = await cluster.namespace.field(`pod ${name}`, '{.status.phase}')
      return phase === 'Succeeded' ? true : undefined
    })
    expect(replyIn(await cluster.namespace.logs(name)).status).toBe(200)
  }
  const selected = 'events --field-selector=reason=WimdsNotRouted'
  expect(await cluster.namespace.field(selected, '{.items[*].message}')).toBe('')
})
