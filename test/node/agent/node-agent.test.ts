/** `wimds node-agent` as a process, with an API server of this test and the network namespace of a pod. */
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { z } from 'zod'
import { podNetwork, type PodNetwork, reasonToSkip } from '../../redirect/namespace.ts'
import { nodeModePod, SETTINGS } from './pods.ts'
import { findBrokers, readAdmin, startAgent, startApi, TestNode } from './test-node.ts'

const reason = reasonToSkip()
if (reason !== undefined) process.stderr.write(`skipped test/commands/node-agent: ${reason}\n`)

let node: TestNode
beforeEach(() => {
  node = new TestNode()
})
afterEach(() => node[Symbol.dispose]())

const UID = nodeModePod().metadata.uid
const keep = (pod: PodNetwork, uid = UID) => node.keep(pod, uid)

/** Creates the network of a pod, with its record. */
async function keptNetwork(uid = UID, address?: string): Promise<PodNetwork> {
  const network = await podNetwork(address)
  keep(network, uid)
  return network
}

const { AZURE_TENANT_ID: TENANT_ID, AZURE_CLIENT_ID: CLIENT_ID } = SETTINGS
const IDENTITY = {
  'azure.workload.identity/client-id': CLIENT_ID,
  'azure.workload.identity/tenant-id': TENANT_ID,
}

/** A pod whose settings the broker accepts. */
const servedPod = (parts: Parameters<typeof nodeModePod>[0] = {}) =>
  nodeModePod({ settings: SETTINGS, ...parts })

/** Returns the UID for which a broker answers in the network of the pod. */
const answeredUid = (pod: PodNetwork) =>
  /"instanceId":"([^"]*)"/.exec(
    pod.exec('curl', '-s', '-m', '20', 'http://169.254.169.254/readyz'),
  )?.[1]

async function readNodePods(agent: ReturnType<typeof startAgent>): Promise<unknown> {
  const response = await readAdmin(agent, '/status.json')
  return z.object({ pods: z.array(z.unknown()) }).parse(await response.json()).pods
}

const uidOf = (pid: number) =>
  /^Uid:\t(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]

const TOKEN_URL =
  'http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https://vault.azure.net'

const rulesOf = (pod: PodNetwork) => pod.exec('nft', 'list', 'ruleset')

/** Replaces nft by a script; `"$tool"` in it is the nft of the machine. */
function replaceNft(script: string): void {
  const tool = spawnSync('which', ['nft']).stdout.toString().trim()
  const content = `#!/bin/sh\ntool=${tool}\n${script}\n`
  writeFileSync(join(node.bin, 'nft'), content, { mode: 0o755 })
}

describe.skipIf(reason !== undefined)('wimds node-agent', () => {
  test('serves a pod that is listed and one with IPv6 alone that comes later, and shuts down', async () => {
    using first = await keptNetwork('first', '10.9.0.2')
    using second = await keptNetwork('second', '10.9.0.3')
    await using api = await startApi(servedPod({ uid: 'first' }))
    await using agent = startAgent(node)
    await agent.logged('pod_routed')
    expect(answeredUid(first)).toBe('first')
    expect(rulesOf(second)).toBe('')
    second.exec('ip', '-4', 'address', 'flush', 'dev', 'eth0')
    await api.send('ADDED', servedPod({ uid: 'second', addresses: [] }))
    await agent.logged('pod_routed', 2)
    expect(answeredUid(second)).toBe('second')
    expect(await agent.stop()).toBe(0)
    expect(agent.countOf('shutdown_complete')).toBeGreaterThanOrEqual(1)
  }, 120_000)

  test('a pod that is too large has an event, and the others are served', async () => {
    using _ = await keptNetwork('first')
    const metadata = { name: 'fat', namespace: 'shop', uid: 'fat', resourceVersion: '1' }
    const fat = { metadata, spec: { containers: [{ command: ['x'.repeat(5_000_000)] }] } }
    await using api = await startApi(fat, servedPod({ uid: 'first' }))
    await using agent = startAgent(node)
    await agent.logged('pod_routed')
    await vi.waitUntil(() => api.messages.length > 0, { timeout: 60_000 })
    expect(api.messages).toEqual([expect.stringContaining('more than 4 MiB as JSON')])
  })

  test('the broker gets the settings of wimds and of the programs below it, and no other variable of the agent', async () => {
    using pod = await keptNetwork()
    await using _ = await startApi(servedPod())
    const passed = {
      WIMDS_EXCHANGE_TIMEOUT: '7s',
      TZ: 'Europe/Berlin',
      MALLOC_ARENA_MAX: '1',
      NODE_OPTIONS: '--max-semi-space-size=1',
    }
    const kept = {
      DATABASE_PASSWORD: 'a',
      AZURE_CLIENT_SECRET: 'b',
      HTTPS_PROXY: 'http://user:password@proxy.example',
      no_proxy: 'none.example',
      // Many threads abort Node under the broker's limit of data.
      UV_THREADPOOL_SIZE: '32',
    }
    await using agent = startAgent(node, { env: { ...passed, ...kept } })
    await agent.logged('pod_routed')
    const [broker = 0] = findBrokers(agent.pid)
    const text = readFileSync(`/proc/${broker}/environ`, 'utf8')
    const entries = text.split('\0').map((line) => line.split(/=(.*)/s))
    const variables = Object.fromEntries(entries.map(([name, value]) => [name, value]))
    expect(variables).toMatchObject(passed)
    for (const name of [...Object.keys(kept), 'KUBERNETES_API_ACCESS']) {
      expect(Object.keys(variables)).not.toContain(name)
    }
    expect(answeredUid(pod)).toBe(UID)
  })

  test('each namespace has a broker with a uid of its own, and the agent has the metrics and pages of all', async () => {
    using first = await keptNetwork('first', '10.9.0.2')
    using second = await keptNetwork('second', '10.9.0.3')
    const other = servedPod({ uid: 'second', namespace: 'other' })
    await using _ = await startApi(servedPod({ uid: 'first' }), other)
    await using agent = startAgent(node)
    await agent.logged('pod_routed', 2)
    const brokers = findBrokers(agent.pid)
    expect(new Set(brokers.map(uidOf))).toEqual(new Set(['60000000', '60000001']))
    for (const [network, uid] of [
      [first, 'first'],
      [second, 'second'],
    ] as const) {
      expect(answeredUid(network)).toBe(uid)
      // There is no token, so this fails.
      network.exec('curl', '-s', '-m', '20', '-H', 'Metadata: true', TOKEN_URL)
    }
    const metrics = await (await readAdmin(agent, '/metrics')).text()
    expect(metrics).toContain('wimds_node_agent_pods{state="routed"} 2\n')
    for (const namespace of ['shop', 'other']) {
      expect(metrics).toMatch(
        new RegExp(
          `^wimds_requests_total\\{protocol="imds",.*namespace="${namespace}",service_account="orders",.*\\} 1$`,
          'm',
        ),
      )
    }
    expect(metrics.match(/^# TYPE wimds_requests_total/gm)).toHaveLength(1)
    expect(await readNodePods(agent)).toMatchObject([
      { uid: 'second', namespace: 'other', state: 'serving' },
      { uid: 'first', namespace: 'shop', state: 'serving' },
    ])
    const page = await (await readAdmin(agent, '/status.json?pod=other/app')).json()
    expect(page).toMatchObject({ failedRequests: [{ count: 1 }] })
    expect(await (await readAdmin(agent, '/status.json?pod=shop/none')).text()).toContain(
      'the pod shop/none is not served"',
    )
    const [broker = 0] = brokers
    process.kill(broker, 'SIGKILL')
    await agent.logged('broker_ended')
    await agent.logged('pod_routed', 3)
    expect(findBrokers(agent.pid)).toContain(brokers[1])
  }, 120_000)

  test('new connections wait for a minute after the end of an agent without a successor, and are then refused', async () => {
    using pod = await keptNetwork()
    await using _ = await startApi(servedPod())
    await using agent = startAgent(node)
    await agent.logged('pod_routed')
    expect(rulesOf(pod)).not.toContain('timeout')
    await using next = startAgent(node)
    await next.logged('pod_routed')
    expect(await agent.stop()).toBe(0)
    expect(rulesOf(pod)).not.toContain('timeout')
    expect(await next.stop()).toBe(0)
    const rules = rulesOf(pod)
    expect(rules).toContain('elements = { 64169 timeout 1m expires')
    /** Returns the exit code of curl: 7 if the connection is refused, 28 if nothing came. */
    const connect = (seconds: number) => {
      const url = 'http://169.254.169.254/'
      return pod.exec('sh', '-c', `curl -s -m ${seconds} ${url}; echo $?`).trim()
    }
    expect(connect(2)).toBe('28')
    // As after a minute.
    pod.exec('nft', 'flush', 'set', 'ip', 'wimds', 'awaited')
    expect(connect(20)).toBe('7')
    await using last = startAgent(node)
    await last.logged('pod_routed')
    expect(answeredUid(pod)).toBe(UID)
    expect(rulesOf(pod)).not.toContain('timeout')
  }, 120_000)

  test('serves a deleted pod until its sandbox is gone', async () => {
    using pod = await keptNetwork()
    await using api = await startApi(servedPod())
    await using agent = startAgent(node)
    await agent.logged('pod_routed')
    await api.send('DELETED', servedPod({ deletionTimestamp: '2026-01-01T00:00:00Z' }))
    expect(answeredUid(pod)).toBe(UID)
    rmSync(join(node.results, UID))
    await vi.waitUntil(() => pod.exec('ss', '-Hltn') === '', { timeout: 60_000 })
    expect(existsSync(join(node.state, `${UID}.json`))).toBe(false)
  }, 120_000)

  test('serves running pods again while the API server is away, and no pod without a sandbox', async () => {
    using pod = await keptNetwork()
    using ended = await keptNetwork('ended')
    await using api = await startApi(servedPod(), servedPod({ uid: 'ended' }))
    await using killed = startAgent(node)
    await killed.logged('pod_routed', 2)
    await killed.kill()
    rmSync(join(node.results, 'ended'))
    api.leave()
    await using agent = startAgent(node)
    await agent.logged('pod_routed')
    expect(answeredUid(pod)).toBe(UID)
    expect(ended.exec('ss', '-Hltn')).toBe('')
    // Its sandbox may be created again. Once the API server does not list it, it has ended.
    expect(existsSync(join(node.state, 'ended.json'))).toBe(true)
    api.set(servedPod())
    api.comeBack()
    await vi.waitUntil(() => !existsSync(join(node.state, 'ended.json')), { timeout: 60_000 })
    expect(answeredUid(pod)).toBe(UID)
  }, 120_000)

  test('SIGKILL in the middle of a rule leaves no part of the table, and the next agent completes it', async () => {
    using pod = await keptNetwork()
    await using api = await startApi()
    const started = join(node.bin, 'started')
    await using killed = startAgent(node)
    await killed.brokerStarted()
    replaceNft(`[ "$1" = -f ] && echo $$ > ${started} && exec sleep 600; exec $tool "$@"`)
    api.set(servedPod())
    await api.send('ADDED', servedPod())
    await vi.waitUntil(() => existsSync(started) && readFileSync(started).length > 0, {
      timeout: 60_000,
    })
    await killed.kill()
    process.kill(Number(readFileSync(started)), 'SIGKILL')
    expect(rulesOf(pod)).toBe('')
    expect(pod.exec('ip', 'route')).toContain('169.254.169.254')
    rmSync(join(node.bin, 'nft'))
    await using agent = startAgent(node)
    await agent.logged('pod_routed')
    expect(answeredUid(pod)).toBe(UID)
  }, 120_000)

  test('a pod whose settings are invalid has an event, and is not served', async () => {
    using _ = await keptNetwork()
    await using api = await startApi(nodeModePod({ settings: { AZURE_TENANT_ID: 'common' } }))
    await using agent = startAgent(node)
    await vi.waitUntil(() => api.messages.length > 0, { timeout: 60_000 })
    expect(api.messages[0]).toContain('AZURE_TENANT_ID')
    expect(api.messages[0]).toContain('Fix: ')
    expect(agent.countOf('pod_routed')).toBe(0)
  }, 120_000)

  test('a pod whose gate has no identity waits for the annotations of its account, and keeps the first', async () => {
    using pod = await keptNetwork()
    const settings = { AZURE_FEDERATED_TOKEN_FILE: SETTINGS.AZURE_FEDERATED_TOKEN_FILE }
    await using api = await startApi(nodeModePod({ settings }))
    const savedEnv = () => {
      const saved: { env: object } = JSON.parse(
        readFileSync(join(node.state, `${UID}.json`), 'utf8'),
      )
      return saved.env
    }
    await using first = startAgent(node)
    await vi.waitUntil(() => api.messages.length > 0, { timeout: 60_000 })
    expect(api.messages[0]).toContain('no tenant id. Fix: annotate the ServiceAccount shop/orders')
    await expect.poll(() => readNodePods(first)).toMatchObject([{ uid: UID, state: 'waiting' }])
    api.annotate(IDENTITY)
    await first.logged('pod_routed')
    expect(answeredUid(pod)).toBe(UID)
    const identity = { AZURE_CLIENT_ID: CLIENT_ID, AZURE_TENANT_ID: TENANT_ID }
    expect(savedEnv()).toMatchObject(identity)
    await first.kill()
    api.annotate({ ...IDENTITY, 'azure.workload.identity/client-id': TENANT_ID })
    node.forget(UID)
    const lists = api.lists()
    await using second = startAgent(node)
    await vi.waitUntil(() => api.lists() > lists, { timeout: 60_000 })
    keep(pod)
    await second.logged('pod_routed')
    expect(savedEnv()).toMatchObject(identity)
    using recreated = await podNetwork()
    node.forget(UID)
    rmSync(join(node.netns, UID))
    await api.send('MODIFIED', nodeModePod({ settings, addresses: ['10.9.0.3'] }))
    await vi.waitUntil(() => pod.exec('ss', '-Hltn') === '', { timeout: 60_000 })
    keep(recreated)
    await second.logged('pod_routed', 2)
    expect(savedEnv()).toMatchObject(identity)
  }, 120_000)
})
