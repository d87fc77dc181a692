/** `wimds node-broker` as a process, with sockets and files that this test gives it, and a simulated Entra ID. */
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { readdirSync, readlinkSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { afterAll, describe, expect, onTestFinished, test } from 'vitest'
import { ignoreEnded } from '../../../src/node/agent/sandboxes.ts'
import { ORDERS } from '../../../src/tools/simulator/defaults.ts'
import { openConnection, request, waitFor } from '../../fixtures/connection.ts'
import { MetricsAnswer } from '../../../src/node/broker/messages.ts'
import { connectProxy } from '../../broker/exchange/connect-proxy.ts'
import { ACCOUNTS, ask, createCluster, TOKEN, TOKEN_FILE, tokenOf, VAULT } from './setup.ts'

const cluster = await createCluster()
afterAll(() => cluster[Symbol.asyncDispose]())

describe('pods of one service account', () => {
  test('share one exchange, and each answers for itself', async () => {
    await using agent = cluster.start()
    cluster.simulator.log.clear()
    const pods = Array.from({ length: 30 }, () => cluster.podOf('orders'))
    const ports = await Promise.all(pods.map((pod) => agent.serve(pod)))
    const received = await Promise.all(ports.map(tokenOf))
    expect(new Set(received).size).toBe(1)
    expect(cluster.simulator.exchanges()).toBe(1)
    for (const [index, port] of ports.slice(0, 3).entries()) {
      expect((await ask(port, '/readyz')).body).toEqual({
        ready: true,
        instanceId: pods[index]?.uid,
      })
    }
  })

  test('get a new token after the last of them has gone', async () => {
    await using agent = cluster.start()
    cluster.simulator.log.clear()
    const pods = [cluster.podOf('orders'), cluster.podOf('orders')]
    const [first, second] = await Promise.all(pods.map((pod) => agent.serve(pod)))
    await tokenOf(first ?? 0)
    agent.closePod(pods[0]?.uid ?? '')
    await tokenOf(second ?? 0)
    expect(cluster.simulator.exchanges()).toBe(1)
    agent.closePod(pods[1]?.uid ?? '')
    await tokenOf(await agent.serve(cluster.podOf('orders')))
    expect(cluster.simulator.exchanges()).toBe(2)
  })
})

test('a projected token of another service account is refused, and not sent', async () => {
  await using agent = cluster.start((_pod, path) =>
    path === TOKEN_FILE ? cluster.tokens.get('billing') : undefined,
  )
  cluster.simulator.log.clear()
  const port = await agent.serve(cluster.podOf('orders'))
  expect(await ask(port)).toMatchObject({
    status: 503,
    body: {
      error_description: expect.stringContaining(
        'is of system:serviceaccount:shop:billing, but the pod runs as system:serviceaccount:shop:orders',
      ),
    },
  })
  expect(cluster.simulator.exchanges()).toBe(0)
})

test('a pod whose projected tokens differ does not fail the exchanges of its siblings', async () => {
  const invalid = { ...cluster.podOf('orders'), contents: 'other' }
  await using agent = cluster.start((pod, path) =>
    pod.uid === invalid.uid ? 'no token' : cluster.readOwnToken(pod, path),
  )
  const port = await agent.serve({ ...cluster.podOf('orders'), contents: 'usual' })
  const other = await agent.serve(invalid)
  expect((await ask(other)).status).toBe(503)
  expect(await tokenOf(port)).toMatch(/^eyJ/)
})

describe('a broker whose predecessor holds tokens', () => {
  const KEY: [string, string] = [ORDERS.clientId, `${VAULT}/.default`]

  test('does not wait for a token while the projected token is invalid', async () => {
    await using agent = cluster.start(() => 'no token')
    const { port } = agent.send(cluster.podOf('orders'), [KEY])
    await agent.until(({ state }) => state === 'serving')
    expect(await tokenOf(port)).toContain('assertion_malformed')
  })

  test('serves a pod at once whose earlier broker has served it, and has others of its account wait', async () => {
    await using agent = cluster.start()
    cluster.simulator.faults.set([{ kind: 'unavailable', target: 'token' }])
    onTestFinished(() => void cluster.simulator.faults.clear())
    const [waiting, served, unknown] = [
      cluster.podOf('orders'),
      cluster.podOf('orders'),
      cluster.podOf('orders'),
    ]
    agent.send(waiting, [KEY])
    agent.send(unknown)
    agent.send(served, [])
    await agent.until(({ state }) => state === 'serving')
    const isAnswered = () => (agent.messages.length === 3 ? true : undefined)
    await waitFor(isAnswered)
    expect(new Map(agent.messages.map(({ uid, state }) => [uid, state]))).toEqual(
      new Map([
        [waiting.uid, 'fetching'],
        [unknown.uid, 'fetching'],
        [served.uid, 'serving'],
      ]),
    )
  })

  test('serves all pods at once when the predecessor has ended', async () => {
    await using agent = cluster.start()
    cluster.simulator.faults.set([{ kind: 'unavailable', target: 'token' }])
    onTestFinished(() => void cluster.simulator.faults.clear())
    agent.send(cluster.podOf('orders'), [KEY])
    await agent.until(({ state }) => state === 'fetching')
    agent.listen()
    await agent.until(({ state }) => state === 'serving')
    await agent.serve(cluster.podOf('billing'))
    expect(await agent.ask({ about: 'keys' })).toEqual([])
  })
})

test('the agent opens the tunnel of the proxy, and the TLS in it is of the broker', async () => {
  const port = Number(new URL(cluster.simulator.authorityHost).port)
  const routes = { 'login.microsoftonline.com:443': port }
  await using proxy = await connectProxy({ routes, credentials: 'user:secret' })
  const env = { HTTPS_PROXY: `http://user:secret@127.0.0.1:${proxy.port}` }
  await using agent = cluster.start(undefined, env)
  const pod = cluster.podOf('orders', { AZURE_AUTHORITY_HOST: 'https://login.microsoftonline.com' })
  // The certificate of the simulator has another name.
  expect(await tokenOf(await agent.serve(pod))).toContain('ERR_TLS_CERT_ALTNAME_INVALID')
  expect(proxy.tunnels[0]).toBe('login.microsoftonline.com:443')
})

test('pods whose messages are longer than what the channel takes at once get their own sockets', async () => {
  await using agent = cluster.start()
  const env = { FILLER: 'x'.repeat(60_000) }
  const pods = ACCOUNTS.map((account) => cluster.podOf(account, env))
  const ports = await Promise.all(pods.map((pod) => agent.serve(pod)))
  const uids = await Promise.all(ports.map(async (port) => (await ask(port, '/readyz')).body))
  expect(uids.map(({ instanceId }) => instanceId)).toEqual(pods.map(({ uid }) => uid))
})

test.each([
  ['resets', (socket: Socket) => socket.resetAndDestroy()],
  ['closes', (socket: Socket) => socket.end()],
])('a login host that %s connections is one that cannot be reached', async (_, close) => {
  const accepted: Socket[] = []
  const server = createServer((socket) => accepted.push(socket))
  await once(server.listen(0, '127.0.0.1'), 'listening')
  onTestFinished(() => void server.close())
  const address = server.address()
  const port = typeof address === 'object' ? address?.port : undefined
  const env = { AZURE_AUTHORITY_HOST: `https://127.0.0.1:${port}` }
  await using agent = cluster.start(undefined, { ...env, WIMDS_EXCHANGE_TIMEOUT: '3s' })
  agent.onConnected = async () => {
    await waitFor(() => accepted.at(-1))
    for (const socket of accepted.splice(0)) close(socket)
    // Once the broker has answered the pings, it has also read the end of the connections.
    for (let turns = 0; turns < 3; turns += 1) await agent.ask({ about: 'ping' })
  }
  const { body } = await ask(await agent.serve(cluster.podOf('orders', env)))
  expect(body.error_description).toContain('ECONNRESET')
})

test('close ends the socket and its connections at once', async () => {
  await using agent = cluster.start()
  const pod = cluster.podOf('orders')
  const port = await agent.serve(pod)
  await using idle = await openConnection(port)
  idle.write(request(TOKEN))
  await idle.reply()
  agent.closePod(pod.uid)
  await idle.closed()
  // Node closes idle connections just before the socket.
  await expect.poll(() => openConnection(port).then(String, String)).toContain('ECONNREFUSED')
})

describe('invalid settings', () => {
  test('are reported with problem and fix, and other pods are served', async () => {
    await using agent = cluster.start()
    const pod = cluster.podOf('orders', { WIMDS_PREFETCH: VAULT, AZURE_CLIENT_ID: '' })
    agent.send(pod)
    const failed = await agent.until(({ state, uid }) => state === 'failed' && uid === pod.uid)
    expect(failed.problem).toBe(
      'WIMDS_PREFETCH: needs a default identity, but there is none. Fix: set AZURE_CLIENT_ID',
    )
    expect(await tokenOf(await agent.serve(cluster.podOf('orders')))).toMatch(/^eyJ/)
  })

  test('leave no socket open once the pod has gone', async () => {
    await using agent = cluster.start()
    const pod = cluster.podOf('orders', { AZURE_TENANT_ID: 'not a tenant' })
    const { link } = agent.send(pod)
    const isOpen = () =>
      readdirSync(`/proc/${agent.pid}/fd`).some(
        (fd) => ignoreEnded(() => readlinkSync(`/proc/${agent.pid}/fd/${fd}`)) === link,
      )
    await agent.until(({ state }) => state === 'failed')
    expect(isOpen()).toBe(true)
    agent.closePod(pod.uid)
    await waitFor(() => (isOpen() ? undefined : true))
  })

  test('a pod cannot set what belongs to the node', async () => {
    await using agent = cluster.start()
    const env = {
      HTTPS_PROXY: 'http://127.0.0.1:1',
      WIMDS_CA_FILE: '/nowhere',
      WIMDS_PASS_THROUGH: '/metadata/instance',
      WIMDS_MAX_CONNECTIONS: '65535',
    }
    const port = await agent.serve(cluster.podOf('orders', env))
    expect(await tokenOf(port)).toMatch(/^eyJ/)
  })
})

describe('an authority host that neither a cloud nor the node has is refused', () => {
  const HOST = 'https://attacker.test'
  const file = `identities: [{ name: one, clientId: ${ORDERS.clientId}, authorityHost: '${HOST}' }]`

  test.each([
    ['in the settings', { AZURE_AUTHORITY_HOST: HOST }],
    ['for unlisted client ids', { AZURE_AUTHORITY_HOST: HOST, AZURE_CLIENT_ID: '' }],
    ['in the identities file', { WIMDS_CONFIG: '/identities.yaml' }],
  ])('%s', async (_where, env) => {
    await using agent = cluster.start((pod, path) =>
      path === '/identities.yaml' ? file : cluster.readOwnToken(pod, path),
    )
    agent.send(cluster.podOf('orders', env))
    expect(await agent.until(() => true)).toMatchObject({
      state: 'failed',
      problem: expect.stringContaining(`the authority host ${HOST} is not one`),
    })
  })
})

const identities = (clientId: string) => `identities: [{ name: one, clientId: ${clientId} }]`

test('an identities file is read by message, and again when it changes', async () => {
  let file: string | undefined
  await using agent = cluster.start((pod, path) =>
    path === '/etc/wimds/identities.yaml' ? file : cluster.readOwnToken(pod, path),
  )
  const pod = cluster.podOf('orders', { WIMDS_CONFIG: '/etc/wimds/identities.yaml' })
  const { port } = agent.send(pod)
  expect(await agent.until(({ state }) => state === 'failed')).toMatchObject({
    problem:
      'WIMDS_CONFIG: cannot read /etc/wimds/identities.yaml: the node agent got ENOENT in the volumes of the gate. ' +
      'Fix: check the path and, in a pod, the keys of the ConfigMap',
  })
  file = identities(ORDERS.clientId)
  await agent.until(({ state }) => state === 'serving')
  expect(await tokenOf(port)).toMatch(/^eyJ/)
  file = identities(randomUUID())
  await waitFor(() => agent.log.find(({ event }) => event === 'config_reloaded'))
  expect((await ask(port)).body).toMatchObject({ error: 'unauthorized_client' })
})

test('answers with the metrics of each group of pods, and with the document of one', async () => {
  await using agent = cluster.start()
  const pods = [
    cluster.podOf('orders'),
    cluster.podOf('orders', { WIMDS_ALLOWED_HOSTS: 'a.test' }),
    cluster.podOf('orders'),
    cluster.podOf('billing'),
  ]
  for (const pod of pods) await tokenOf(await agent.serve(pod))
  const groups = MetricsAnswer.parse(await agent.ask({ about: 'metrics' }))
  const counts = groups.map(({ uid, samples }) => [
    uid,
    samples.find(([name, { code }]) => name === 'wimds_requests_total' && code === 'ok')?.[2],
  ])
  expect(counts).toEqual([
    [pods[0]?.uid, 2],
    [pods[1]?.uid, 1],
    [pods[3]?.uid, 1],
  ])
  expect(new Set(groups.map(({ settings }) => settings)).size).toBe(3)
  expect(await agent.ask({ about: 'pod', uid: pods[3]?.uid ?? '' })).toMatchObject({
    state: 'ready',
    workload: { namespace: 'shop', serviceAccount: 'billing' },
  })
  expect(await agent.ask({ about: 'pod', uid: 'none' })).toEqual({})
})

test('with invalid settings of the node it says so, and exits at once', async () => {
  await using agent = cluster.start(undefined, { WIMDS_CA_FILE: '/nowhere' })
  expect(await agent.ended()).toBe(64)
  expect(agent.invalid).toContain('/nowhere')
})

test.each([
  ['the end of the channel for sockets', 'sockets'],
  ['the end of the channel for messages, which it answers', 'messages'],
] as const)('ends by %s', async (_, how) => {
  await using agent = cluster.start()
  const port = await agent.serve(cluster.podOf('orders'))
  await tokenOf(port)
  expect(await agent.stop(how)).toBe(0)
})

test('at the signal, connections that wait to be accepted are answered', async () => {
  await using agent = cluster.start()
  const port = await agent.serve(cluster.podOf('orders'))
  await tokenOf(port)
  process.kill(agent.pid, 'SIGSTOP')
  const connections = await Promise.all(Array.from({ length: 32 }, () => openConnection(port)))
  for (const connection of connections) connection.write(request(TOKEN))
  const ended = agent.stop('signal')
  process.kill(agent.pid, 'SIGCONT')
  const replies = await Promise.all(connections.map((connection) => connection.reply()))
  expect(replies.map(({ status }) => status)).toEqual(replies.map(() => 200))
  expect(await ended).toBe(0)
})
