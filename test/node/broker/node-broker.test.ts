/** `wimds node-broker` as a process, with sockets and files that this test gives it, and a simulated Entra ID. */
import { randomUUID } from 'node:crypto'
import { readdirSync, readlinkSync } from 'node:fs'
import { afterAll, describe, expect, onTestFinished, test } from 'vitest'
import { ORDERS } from '../../../src/tools/simulator/defaults.ts'
import { openConnection, request, waitFor } from '../../fixtures/connection.ts'
import type { TestAgent } from './agent.ts'
import { ask, createCluster, TOKEN, TOKEN_FILE, tokenOf, VAULT } from './setup.ts'

const cluster = await createCluster()
afterAll(() => cluster[Symbol.asyncDispose]())

async function fetchAdmin(agent: TestAgent, path: string): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${await agent.adminPort()}${path}`)
  return response.text()
}

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

  test('with other settings have exchanges of their own', async () => {
    await using agent = cluster.start()
    cluster.simulator.log.clear()
    const one = await agent.serve(cluster.podOf('orders'))
    const other = await agent.serve(cluster.podOf('orders', { WIMDS_ALLOWED_HOSTS: 'other.test' }))
    const received = [await tokenOf(one), await tokenOf(other)]
    expect(new Set(received).size).toBe(2)
    expect(cluster.simulator.exchanges()).toBe(2)
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
        'is of system:serviceaccount:shop:billing, and the pod runs as system:serviceaccount:shop:orders',
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

test('a new broker serves every pod again, and requests meanwhile wait', async () => {
  await using agent = cluster.start()
  const ports = await Promise.all(
    ['orders', 'billing'].map((each) => agent.serve(cluster.podOf(each))),
  )
  await Promise.all(ports.map(tokenOf))
  const restarted = agent.restart()
  const meanwhile = Promise.all(ports.map(tokenOf))
  await restarted
  for (const token of await meanwhile) expect(token).toMatch(/^eyJ/)
})

function isSocket(link: string): boolean {
  try {
    return readlinkSync(link).startsWith('socket:')
  } catch {
    // Closed meanwhile.
    return false
  }
}

describe('invalid settings', () => {
  test('are reported with problem and fix, and other pods are served', async () => {
    await using agent = cluster.start()
    const pod = cluster.podOf('orders', { WIMDS_PREFETCH: VAULT, AZURE_CLIENT_ID: '' })
    agent.send(pod)
    const failed = await agent.until(({ type, uid }) => type === 'failed' && uid === pod.uid)
    expect(failed).toMatchObject({
      problem: 'WIMDS_PREFETCH: needs a default identity, and there is none',
      fix: 'set AZURE_CLIENT_ID',
    })
    expect(await tokenOf(await agent.serve(cluster.podOf('orders')))).toMatch(/^eyJ/)
    const status = JSON.parse(await fetchAdmin(agent, '/status.json'))
    expect(status.pods).toMatchObject([
      { name: pod.name, state: 'invalid', problem: expect.stringContaining('set AZURE_CLIENT_ID') },
      { state: 'ready', cachedTokens: 1 },
    ])
  })

  test('leave no socket open once the pod has gone', async () => {
    await using agent = cluster.start()
    await agent.serve(cluster.podOf('billing'))
    const countSockets = () =>
      readdirSync(`/proc/${agent.pid}/fd`).filter((fd) => isSocket(`/proc/${agent.pid}/fd/${fd}`))
        .length
    const before = countSockets()
    const pod = cluster.podOf('orders', { AZURE_TENANT_ID: 'not a tenant' })
    agent.send(pod)
    await agent.until(({ type }) => type === 'failed')
    expect(countSockets()).toBe(before + 1)
    agent.closePod(pod.uid)
    await waitFor(() => countSockets() === before || undefined)
  })

  test('an instance file of sidecars does not apply', async () => {
    await using agent = cluster.start(undefined, { WIMDS_INSTANCE_FILE: '/nowhere' })
    expect(await tokenOf(await agent.serve(cluster.podOf('orders')))).toMatch(/^eyJ/)
  })

  test('a pod cannot set what belongs to the node', async () => {
    await using agent = cluster.start()
    const env = {
      HTTPS_PROXY: 'http://127.0.0.1:1',
      WIMDS_CA_FILE: '/nowhere',
      WIMDS_PASS_THROUGH: '/metadata/instance',
      WIMDS_INSTANCE_FILE: '/etc/passwd',
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
      type: 'failed',
      problem: expect.stringContaining(`the authority host ${HOST} is not one`),
      fix: expect.stringContaining('injection.env.AZURE_AUTHORITY_HOST'),
    })
  })
})

const entry = (index: number) =>
  `- { clientId: '${randomUUID()}', tokenFile: /tokens/${index}, prefetch: [https://${index}.test] }`

describe('a pod that causes too much work is refused:', () => {
  const file = ['identities:', ...Array.from({ length: 65 }, (_, at) => entry(at))].join('\n')
  const files = new Map([
    ['/file.yaml', file],
    ['/large.yaml', `${file}\n#${'x'.repeat(16_384)}`],
  ])
  const prefetched = Array.from({ length: 65 }, (_, at) => `https://${at}.test`).join(',')

  test.each([
    ['prefetch', { WIMDS_PREFETCH: prefetched }, 'WIMDS_PREFETCH: has 65 resources to prefetch'],
    ['prefetch in a file', { WIMDS_CONFIG: '/file.yaml' }, 'has 65 resources to prefetch'],
    ['a large file', { WIMDS_CONFIG: '/large.yaml' }, '/large.yaml is larger than 16 KiB'],
    ['token files', { WIMDS_CONFIG: '/file.yaml' }, 'has 65 token files'],
  ])('%s', async (_what, env, problem) => {
    await using agent = cluster.start(
      (pod, path) => files.get(path) ?? cluster.readOwnToken(pod, path),
    )
    agent.send(cluster.podOf('orders', env))
    const failed = { type: 'failed', problem: expect.stringContaining(problem) }
    expect(await agent.until(() => true)).toMatchObject(failed)
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
  expect(await agent.until(({ type }) => type === 'failed')).toMatchObject({
    problem: expect.stringContaining('cannot read /etc/wimds/identities.yaml'),
    fix: expect.stringContaining('add the key identities.yaml to the ConfigMap'),
  })
  expect(await fetchAdmin(agent, `/status.json?pod=shop/${pod.name}`)).toContain(
    `the pod shop/${pod.name} is not served: WIMDS_CONFIG: cannot read /etc/wimds/identities.yaml`,
  )
  file = identities(ORDERS.clientId)
  await agent.until(({ type }) => type === 'serving')
  expect(await tokenOf(port)).toMatch(/^eyJ/)
  file = identities(randomUUID())
  await waitFor(() => agent.log.find(({ event }) => event === 'config_reloaded'))
  expect((await ask(port)).body).toMatchObject({ error: 'unauthorized_client' })
})

test('a pod that floods does not keep its neighbours from their tokens', async () => {
  await using agent = cluster.start()
  const hostile = await agent.serve(cluster.podOf('orders', { WIMDS_MAX_CONNECTIONS: '65535' }))
  const neighbours = await Promise.all(
    ['billing', 'orders'].map((each) => agent.serve(cluster.podOf(each))),
  )
  await tokenOf(neighbours[0] ?? 0)
  await using stack = new AsyncDisposableStack()
  for (const index of Array.from({ length: 600 }, (_, at) => at)) {
    const connection = stack.use(await openConnection(hostile))
    if (index % 2 === 0) {
      connection.write(request(`${TOKEN}/${index}`))
    } else {
      connection.write(
        'POST /oauth2/token HTTP/1.1\r\nHost: localhost\r\nMetadata: true\r\nContent-Length: 60000\r\n\r\nresource=',
      )
    }
  }
  for (const port of neighbours) expect(await tokenOf(port)).toMatch(/^eyJ/)
  // A resource of the neighbour that is not cached yet.
  const { status } = await ask(neighbours[0] ?? 0, `${TOKEN}/other`)
  expect(status).toBe(400)
})

/** Lets the exchanges of this test hang. */
function hangExchanges(): void {
  cluster.simulator.faults.add({ kind: 'hang' })
  onTestFinished(() => cluster.simulator.faults.clear())
}

test('the pods of one namespace do not use all exchanges of the node', async () => {
  await using agent = cluster.start(cluster.readOwnToken, { WIMDS_MAX_EXCHANGES: '8' })
  const hostile = await Promise.all(
    Array.from({ length: 8 }, (_, at) =>
      agent.serve(cluster.podOf('orders', { WIMDS_ALLOWED_HOSTS: `${at}.test` })),
    ),
  )
  cluster.simulator.log.clear()
  hangExchanges()
  void Promise.allSettled(hostile.map(tokenOf))
  await waitFor(() => cluster.simulator.exchanges() === 2 || undefined)
  const other = { ...cluster.podOf('orders'), namespace: 'other' }
  const { body } = await ask(await agent.serve(other))
  expect(body.error_description).toContain('the pod runs as system:serviceaccount:other')
  expect(cluster.simulator.exchanges()).toBe(2)
})

test('the exchanges of all namespaces share the limit of the node', async () => {
  // An exchange waits for 6 s: the other pod has as long for its request.
  const limits = { WIMDS_MAX_EXCHANGES: '1', WIMDS_EXCHANGE_TIMEOUT: '12s' }
  await using agent = cluster.start(cluster.readOwnToken, limits)
  const first = await agent.serve(cluster.podOf('orders'))
  const other = await agent.serve({ ...cluster.podOf('orders'), namespace: 'other' })
  cluster.simulator.log.clear()
  hangExchanges()
  void ask(first).catch(() => {})
  await waitFor(() => cluster.simulator.exchanges() > 0 || undefined)
  const { body } = await ask(other)
  expect(body.error_description).toContain('too many exchanges with Entra ID are running')
})

test('the admin port has the metrics by service account, and the page of each pod', async () => {
  await using agent = cluster.start()
  const pods = [
    cluster.podOf('orders'),
    cluster.podOf('orders', { WIMDS_ALLOWED_HOSTS: 'a.test' }),
    cluster.podOf('billing'),
  ]
  for (const pod of pods) await tokenOf(await agent.serve(pod))
  const metrics = await fetchAdmin(agent, '/metrics')
  expect(metrics).toContain('wimds_node_broker_pods{state="ready"} 3')
  expect(metrics).toContain('wimds_node_broker_workloads 3')
  expect(metrics).toContain(
    'wimds_requests_total{namespace="shop",service_account="orders",protocol="imds",code="ok",client="none"} 2',
  )
  expect(metrics).toContain('wimds_tokens_cached{namespace="shop",service_account="billing"} 1')
  expect(metrics.match(/^# TYPE wimds_requests_total/gm)).toHaveLength(1)
  expect(await fetchAdmin(agent, '/readyz')).toBe('{"ready":true}')
  const document = JSON.parse(await fetchAdmin(agent, `/status.json?pod=shop/${pods[2]?.name}`))
  expect(document).toMatchObject({
    state: 'ready',
    workload: { namespace: 'shop', serviceAccount: 'billing' },
  })
  expect(await fetchAdmin(agent, '/status.json?pod=shop/none')).toContain(
    'the pod shop/none is not served"',
  )
})

test('the page of a pod is found by its UID, and the page of the newest pod by its name', async () => {
  await using agent = cluster.start()
  const name = 'orders-0'
  const old = { ...cluster.podOf('orders', { WIMDS_ALLOWED_HOSTS: 'old.test' }), name }
  const current = { ...cluster.podOf('orders'), name }
  // Its workload is older than the workload of the old pod.
  const sibling = cluster.podOf('orders')
  for (const pod of [sibling, old, current]) await agent.serve(pod)
  // With a new socket it is as old as before.
  await agent.serve(old)
  const list = await fetchAdmin(agent, '/status')
  for (const { uid } of [old, current]) {
    expect(list).toContain(`<a href="/status?pod=${uid}">`)
    const page = await fetchAdmin(agent, `/status?pod=${uid}`)
    expect(page).toContain(`<a href="/status.json?pod=${uid}">`)
    const document = await fetchAdmin(agent, `/status.json?pod=${uid}`)
    expect([uid, document.includes('old.test')]).toEqual([uid, uid === old.uid])
  }
  expect(await fetchAdmin(agent, `/status.json?pod=shop/${name}`)).not.toContain('old.test')
})

test('the page of the node begins with the pods that wait for the agent, until they are served or closed', async () => {
  await using agent = cluster.start()
  const [served, waiting] = [cluster.podOf('orders'), cluster.podOf('billing')]
  await agent.serve(served)
  agent.addWaiting(waiting, 'two namespaces. Fix: delete the pod')
  const readPods = async () => {
    const { pods } = JSON.parse(await fetchAdmin(agent, '/status.json'))
    return pods.map(({ name, state }: Record<string, unknown>) => [name, state])
  }
  const listed = [waiting.name, 'waiting']
  await expect.poll(readPods).toEqual([listed, [served.name, 'ready']])
  const page = await fetchAdmin(agent, '/status')
  expect(page).toContain('2 pods, the worst waiting')
  expect(page).toContain('two namespaces. Fix: delete the pod')
  expect(page).not.toContain(`/status?pod=${waiting.uid}`)
  expect(await fetchAdmin(agent, '/metrics')).toContain('wimds_node_broker_pods{state="waiting"} 1')
  agent.closePod(waiting.uid)
  await expect.poll(readPods).toEqual([[served.name, 'ready']])
  agent.addWaiting(waiting, 'two namespaces')
  await agent.serve(waiting)
  expect(await readPods()).not.toContainEqual(listed)
})

test.each([['signal'], ['channel']] as const)('ends by the %s', async (how) => {
  await using agent = cluster.start()
  const port = await agent.serve(cluster.podOf('orders'))
  await tokenOf(port)
  expect(await agent.stop(how)).toBe(0)
})

test('at the signal, connections that wait to be accepted are answered', async () => {
  // WIMDS_DRAIN of the sidecars does not delay the end.
  await using agent = cluster.start(undefined, { WIMDS_DRAIN: '1h' })
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
