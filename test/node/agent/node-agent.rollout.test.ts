/** An agent and its successor on one node, in the network namespace of a pod. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { podNetwork, type PodNetwork, reasonToSkip } from '../../redirect/namespace.ts'
import { nodeModePod, TOKEN_DIRECTORY } from './pods.ts'
import { startAgent, startApi, TestNode } from './test-node.ts'

const reason = reasonToSkip()
if (reason !== undefined) process.stderr.write(`skipped test/node/agent/rollout: ${reason}\n`)

let node: TestNode
beforeEach(() => {
  node = new TestNode()
})
afterEach(() => node[Symbol.dispose]())

const pod = nodeModePod({
  env: [
    { name: 'AZURE_TENANT_ID', value: '22222222-2222-4222-8222-222222222222' },
    { name: 'AZURE_CLIENT_ID', value: '11111111-1111-4111-8111-111111111111' },
    { name: 'AZURE_FEDERATED_TOKEN_FILE', value: `${TOKEN_DIRECTORY}/azure-identity-token` },
  ],
})

/**
 * Asks for ever in sixteen loops, each request by a new connection, and sends it a moment after the connection was accepted,
 * as a caller on a busy node does. At SIGTERM it prints how often each outcome was seen.
 */
const CALLERS = `
  const { connect } = require('node:net')
  const request = 'GET /readyz HTTP/1.1\\r\\nHost: 169.254.169.254\\r\\nConnection: close\\r\\n\\r\\n'
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

describe.skipIf(reason !== undefined)('wimds node-agent, with a successor', () => {
  test('an agent that is replaced refuses no request', async () => {
    using network = await podNetwork()
    node.keep(network, pod.metadata.uid)
    await using _ = await startApi(pod)
    await using agent = startAgent(node)
    await agent.logged('pod_routed')
    const callers = network.script(CALLERS)
    await callers.firstLine
    await using next = startAgent(node)
    await next.logged('pod_routed')
    expect(await agent.stop()).toBe(0)
    callers.kill('SIGTERM')
    const [, outcomes = ''] = (await callers.output).split('\n')
    // No token file can be read.
    expect(JSON.parse(outcomes)).toEqual({ 'HTTP/1.1 503': expect.any(Number) })
  }, 120_000)
})
