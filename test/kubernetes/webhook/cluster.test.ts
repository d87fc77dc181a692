/** What the webhook asks of an API server that breaks, hangs, or answers nonsense. */
import { rmSync, writeFileSync } from 'node:fs'
import { afterEach, describe, expect, test } from 'vitest'
import {
  type Cluster,
  connectToCluster,
  reasonOf,
} from '../../../src/kubernetes/webhook/cluster.ts'
import {
  answer,
  apiServer,
  CONFIGURATION,
  type Fault,
  LIST,
  PATCH_SECRET,
  READ_SECRET,
  VERSION,
  WATCH,
} from '../../fixtures/api-server.ts'

const account = (clientId: string, name = 'app') => ({
  metadata: { namespace: 'n', name, resourceVersion: '8', annotations: { clientId } },
})

let open: Cluster | undefined
afterEach(() => open?.close())

/** A cluster whose pauses are short, and what it told of. */
function connected(limits?: Parameters<typeof connectToCluster>[0]['limits']) {
  const told: string[] = []
  const cluster = connectToCluster({
    onError: (error) => told.push(reasonOf(error)),
    pause: () => new Promise((resolve) => void setTimeout(resolve, 5)),
    ...(limits && { limits }),
  })
  open = cluster
  return { cluster, told }
}

describe('ServiceAccounts are listed again, and the process goes on, after', () => {
  test.each([
    ['an ADDED without metadata', '{"type":"ADDED","object":{}}'],
    ['a MODIFIED of nothing', '{"type":"MODIFIED","object":null}'],
    ['a DELETED of something else', '{"type":"DELETED","object":{"kind":"Status"}}'],
    ['a BOOKMARK of nothing', '{"type":"BOOKMARK"}'],
    ['an ERROR of nothing', '{"type":"ERROR"}'],
    ['a version that is gone', '{"type":"ERROR","object":{"kind":"Status","code":410}}'],
    ['an event of no known type', '{"type":"ENDED","object":{}}'],
    ['a line that is null', 'null'],
    ['a line that is no JSON', '{"type":"ADDED","obj'],
  ])('%s', async (_, line) => {
    await using api = await apiServer()
    const { cluster, told } = connected()
    const lookup = await cluster.serviceAccounts()
    await expect.poll(() => api.watches.length).toBe(1)
    api.accounts.push(account('new'))
    api.watches[0]?.write(`${line}\n`)
    await expect.poll(() => api.asked(LIST)).toBe(2)
    await expect.poll(() => lookup('n', 'app')).toEqual({ clientId: 'new' })
    expect(told).toHaveLength(1)
  })

  test('a connection that breaks', async () => {
    await using api = await apiServer()
    const { cluster, told } = connected()
    await cluster.serviceAccounts()
    await expect.poll(() => api.watches.length).toBe(1)
    api.watches[0]?.socket?.resetAndDestroy()
    await expect.poll(() => api.asked(LIST)).toBe(2)
    expect(told).toHaveLength(1)
  })

  test('a watch that is refused', async () => {
    await using api = await apiServer({
      [WATCH]: (response, count) => answer(response, count < 3 ? 410 : 403, {}),
    })
    const { cluster, told } = connected()
    await cluster.serviceAccounts()
    await expect.poll(() => api.asked(LIST)).toBeGreaterThan(3)
    expect(told.slice(0, 3)).toEqual([
      'the API server answered 410 to a watch',
      'the API server answered 410 to a watch',
      'the API server answered 403 to a watch',
    ])
  })
})

test.each([
  ['is null', null],
  ['has an item without metadata', { metadata: { resourceVersion: '1' }, items: [{}] }],
  ['has no version', { metadata: {}, items: [] }],
])('a list that %s is asked for again', async (_, list) => {
  await using api = await apiServer({
    [LIST]: (response, count) =>
      answer(
        response,
        200,
        count === 1 ? list : { metadata: { resourceVersion: '1' }, items: [account('good')] },
      ),
  })
  const { cluster, told } = connected()
  const lookup = await cluster.serviceAccounts()
  expect(await lookup('n', 'app')).toEqual({ clientId: 'good' })
  expect(api.asked(LIST)).toBe(2)
  expect(told).toHaveLength(1)
})

describe('a CA file that cannot be read is told, and read again,', () => {
  const list = { metadata: { resourceVersion: '1' }, items: [account('held')] }
  const changed = `${JSON.stringify({ type: 'MODIFIED', object: account('newest') })}\n`

  test('when a watch has ended', async () => {
    await using api = await apiServer({ [LIST]: (response) => answer(response, 200, list) })
    const { cluster, told } = connected()
    const lookup = await cluster.serviceAccounts()
    await expect.poll(() => api.watches.length).toBe(1)
    rmSync(api.caFile)
    api.watches[0]?.end()
    await expect.poll(() => told.length).toBeGreaterThan(1)
    expect(await lookup('n', 'app')).toEqual({ clientId: 'held' })
    writeFileSync(api.caFile, 'unused without TLS')
    await expect.poll(() => api.watches.length).toBe(1)
    api.watches[0]?.write(changed)
    await expect.poll(() => lookup('n', 'app')).toEqual({ clientId: 'newest' })
  })

  test('right after a list', async () => {
    await using api = await apiServer({
      [LIST]: (response, count) => {
        if (count === 1) rmSync(api.caFile)
        answer(response, 200, list)
      },
    })
    const { cluster, told } = connected()
    const lookup = await cluster.serviceAccounts()
    await expect.poll(() => told.length).toBeGreaterThan(1)
    writeFileSync(api.caFile, 'unused without TLS')
    await expect.poll(() => api.watches.length).toBe(1)
    api.watches[0]?.write(changed)
    await expect.poll(() => lookup('n', 'app')).toEqual({ clientId: 'newest' })
  })
})

test('the version is asked for until there is one, and what came instead is not told', async () => {
  const faults: Fault[] = [
    (response) => answer(response, 500, { message: 'a-body' }),
    (response) => response.destroy(),
    (response) => response.setHeader('Content-Type', 'application/json').end('a-body'),
    (response) => answer(response, 200, {}),
    (response) => answer(response, 200, { major: '1', minor: '31+' }),
  ]
  await using api = await apiServer({
    [VERSION]: (response, count) =>
      faults[count - 1]?.(response.setHeader('X-A', 'a-header'), count),
  })
  const { cluster, told } = connected()
  expect(await cluster.minorVersion()).toBe(31)
  expect(api.asked(VERSION)).toBe(5)
  expect(told).toEqual([
    'the API server answered 500',
    'fetch failed',
    'the API server sent what is no JSON',
    'the API server did not tell its version',
  ])
})

test('asking for the version ends with the cluster', async () => {
  await using _ = await apiServer({ [VERSION]: (response) => answer(response, 500, {}) })
  const { cluster, told } = connected()
  const asked = cluster.minorVersion().catch(() => 'ended')
  await expect.poll(() => told.length).toBeGreaterThan(1)
  cluster.close()
  expect(await asked).toBe('ended')
})

const MATERIAL = { certPem: 'c', keyPem: 'k', caPem: 'a' }
const secret = (to: Cluster) => to.certificates('wimds', 'wimds-webhook-tls')

describe('an API server that takes a request and does not answer', () => {
  const calls: [string, (to: Cluster) => Promise<unknown>][] = [
    [READ_SECRET, (to) => secret(to).read()],
    [PATCH_SECRET, (to) => secret(to).write(MATERIAL, '1')],
    [CONFIGURATION, (to) => to.publishCa('wimds', 'a')],
    [CONFIGURATION.replace('GET', 'PATCH'), (to) => to.publishCa('wimds', 'a')],
    [
      'GET /api/v1/namespaces/n/serviceaccounts/app',
      async (to) => (await to.serviceAccounts())('n', 'app'),
    ],
  ]

  test.each(calls)('is given up after a while: %s', async (call, ask) => {
    await using api = await apiServer({ [call]: () => {} })
    const { cluster } = connected({ callMs: 300, lookupMs: 300 })
    expect(await ask(cluster).catch(reasonOf)).toBe('the API server did not answer in time')
    expect(api.asked(call)).toBe(1)
  })

  test.each(calls)('is given up at the end: %s', async (call, ask) => {
    await using api = await apiServer({ [call]: () => {} })
    const { cluster } = connected()
    const asked = ask(cluster).catch(reasonOf)
    await expect.poll(() => api.asked(call)).toBe(1)
    cluster.close()
    expect(await asked).toBe('This operation was aborted')
  })

  test.each([LIST, VERSION])('is asked again: %s', async (call) => {
    await using api = await apiServer({ [call]: () => {} })
    const { cluster, told } = connected({ listMs: 300, callMs: 300 })
    void cluster.serviceAccounts()
    void cluster.minorVersion().catch(() => undefined)
    await expect.poll(() => api.asked(call)).toBeGreaterThan(1)
    expect(told[0]).toBe('the API server did not answer in time')
  })

  test('leaves a review enough of the five seconds that the chart gives it', async () => {
    await using api = await apiServer({ 'GET /api/v1/namespaces/n/serviceaccounts/app': () => {} })
    const { cluster } = connected()
    const lookup = await cluster.serviceAccounts()
    const begin = performance.now()
    await expect(lookup('n', 'app')).rejects.toThrow('did not answer in time')
    expect(performance.now() - begin).toBeLessThan(3000)
    expect(api.asked(LIST)).toBe(1)
  })
})
