/** An agent and its successor on one node, in the network namespace of a pod. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ORDERS } from '../../../src/tools/simulator/defaults.ts'
import { podNetwork, type PodNetwork, reasonToSkip } from '../../redirect/namespace.ts'
import { createCluster, TOKEN } from '../broker/setup.ts'
import { nodeModePod, SETTINGS, TOKEN_DIRECTORY } from './pods.ts'
import { readAdmin, startAgent, startApi, TestNode } from './test-node.ts'

const reason = reasonToSkip()
if (reason !== undefined) process.stderr.write(`skipped test/node/agent/rollout: ${reason}\n`)

let node: TestNode
beforeEach(() => {
  node = new TestNode()
})
afterEach(() => node[Symbol.dispose]())

const pod = nodeModePod({ settings: SETTINGS })

/**
 * Asks for ever in sixteen loops, each request by a new connection, and sends it a moment after the connection was accepted,
 * as a caller on a busy node does. At SIGTERM it prints how often each outcome was seen.
 */
const callers = (path: string) => `
  const { connect } = require('node:net')
  const request = 'GET ${path} HTTP/1.1\\r\\nHost: 169.254.169.254\\r\\nMetadata: true\\r\\nConnection: close\\r\\n\\r\\n'
  const outcomes = {}
  let isEnding = false
  const ask = () => new Promise((resolve) => {
    let reply = ''
    const socket = connect(80, '169.254.169.254', () => setTimeout(() => socket.write(request), 30))
    socket.on('data', (chunk) => (reply += chunk))
    socket.on('error', ({ code }) => resolve(code))
    socket.on('close', () => resolve(reply.slice(0, 12) || 'no reply'))
  })
  const loop = async () => {
    while (!isEnding) {
      const outcome = await ask()
      outcomes[outcome] = (outcomes[outcome] ?? 0) + 1
    }
  }
  console.log('started')
  process.once('SIGTERM', () => (isEnding = true))
  Promise.all(Array.from({ length: 16 }, loop)).then(() => console.log(JSON.stringify(outcomes)))`

/** Starts the callers; returns the function that ends them, and returns how often each outcome was seen. */
async function startCallers(network: PodNetwork, path: string): Promise<() => Promise<unknown>> {
  const script = network.script(callers(path))
  await script.firstLine
  return async () => {
    script.kill('SIGTERM')
    const [, outcomes = ''] = (await script.output).split('\n')
    return JSON.parse(outcomes)
  }
}

describe.skipIf(reason !== undefined)('wimds node-agent, with a successor', () => {
  test('an agent that is replaced refuses no request', async () => {
    using network = await podNetwork()
    node.keep(network, pod.metadata.uid)
    await using _ = await startApi(pod)
    await using agent = startAgent(node)
    await agent.logged('pod_routed')
    const end = await startCallers(network, '/readyz')
    await using next = startAgent(node)
    await next.logged('pod_routed')
    expect(await agent.stop()).toBe(0)
    // No token file can be read.
    expect(await end()).toEqual({ 'HTTP/1.1 503': expect.any(Number) })
  }, 120_000)

  test('a successor serves no pod during an outage until it has the tokens of its predecessor', async () => {
    await using cluster = await createCluster()
    const options = { simulator: cluster.simulator }
    using network = await podNetwork()
    const served = nodeModePod({
      settings: {
        AZURE_TENANT_ID: cluster.simulator.tenantId,
        AZURE_CLIENT_ID: ORDERS.clientId,
        AZURE_AUTHORITY_HOST: cluster.simulator.authorityHost,
        AZURE_FEDERATED_TOKEN_FILE: `${TOKEN_DIRECTORY}/token`,
      },
    })
    const { uid } = served.metadata
    node.keep(network, uid)
    node.writeToken(uid, cluster.tokens.get('orders') ?? '')
    await using _ = await startApi(served)
    await using agent = startAgent(node, options)
    await agent.logged('pod_routed')
    const end = await startCallers(network, TOKEN)
    await agent.logged('token_obtained')

    cluster.simulator.faults.set([{ kind: 'unavailable', target: 'token' }])
    await using crashed = startAgent(node, options)
    await crashed.logged('exchange_failed')
    await crashed.kill()
    await using next = startAgent(node, options)
    await next.logged('exchange_failed', 2)
    const readiness = await readAdmin(next, '/readyz')
    expect(await readiness.text()).toContain('tokens that the earlier agent of the node holds')
    expect(next.countOf('pod_routed')).toBe(0)

    cluster.simulator.faults.clear()
    await next.logged('pod_routed')
    expect((await readAdmin(next, '/readyz')).status).toBe(200)
    cluster.simulator.faults.set([{ kind: 'unavailable', target: 'token' }])
    expect(await agent.stop()).toBe(0)
    expect(await end()).toEqual({ 'HTTP/1.1 200': expect.any(Number) })

    await using last = startAgent(node, options)
    await last.logged('exchange_failed')
    await next.kill()
    // It holds no token, and there is no agent that does.
    await last.logged('pod_routed')
  }, 120_000)
})
