/** Connects to servers of this test for brokers, which have no network. */
import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { expect, onTestFinished, test, vi } from 'vitest'
import { createConnections, createSharedLookup } from '../../../src/node/agent/connections.ts'
import { connectProxy } from '../../broker/exchange/connect-proxy.ts'
import { NO_CONNECTION } from './program.ts'

/** Starts a server that echoes. Returns its port. */
async function listen(): Promise<number> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {}).pipe(socket)
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const address = server.address()
  if (typeof address !== 'object' || address === null) throw new Error('no port')
  return address.port
}

/** Returns the code of the error of each that failed. */
const codesOf = (results: readonly PromiseSettledResult<unknown>[]) =>
  results.flatMap((result) => (result.status === 'rejected' ? [result.reason.code] : []))

async function echo(socket: Socket): Promise<string> {
  socket.write('hello')
  const [data]: unknown[] = await once(socket, 'data')
  socket.destroy()
  return String(data)
}

test('connects to the authority of the node, and to the token endpoints of clouds and regions, but to no other host or port', async () => {
  const port = await listen()
  const tried: string[] = []
  const env = {
    AZURE_AUTHORITY_HOST: `https://login.contoso.example:${port}`,
    AZURE_REGIONAL_AUTHORITY_NAME: 'westeurope',
  }
  const open = createConnections(env, ({ host, port: at }) => {
    tried.push(`${host}:${at}`)
    return Promise.reject(new Error('no network'))
  })()
  const admitted = [
    ['login.contoso.example', port],
    ['westeurope.login.contoso.example', port],
    ['login.microsoftonline.com', 443],
    ['westeurope.login.microsoft.com', 443],
    ['login.microsoftonline.us', 443],
  ] as const
  const refused = [
    ['login.contoso.example', 443],
    ['login.microsoftonline.com', 80],
    ['northeurope.login.microsoft.com', 443],
    ['kubernetes.default.svc', 443],
    ['169.254.169.254', 80],
    ['127.0.0.1', port],
  ] as const
  for (const [host, at] of admitted) {
    await expect(open({ host, port: at })).rejects.toThrow('no network')
  }
  for (const [host, at] of refused) {
    await expect(open({ host, port: at })).rejects.toThrow(
      `the node agent does not connect to ${host}:${at}, which is no login host of the node. Fix: `,
    )
  }
  expect(tried).toEqual(admitted.map(([host, at]) => `${host}:${at}`))
})

test('opens the tunnel of a proxy itself, with its password, and connects to hosts of NO_PROXY directly', async () => {
  const port = await listen()
  const credentials = 'user:secret'
  await using proxy = await connectProxy({ routes: { 'login.example:8443': port }, credentials })
  const env = {
    AZURE_AUTHORITY_HOST: 'https://login.example:8443',
    HTTPS_PROXY: `http://${credentials}@127.0.0.1:${proxy.port}`,
  }
  const to = { host: 'login.example', port: 8443 }
  expect(await echo(await createConnections(env)()(to))).toBe('hello')
  expect(proxy.tunnels).toEqual(['login.example:8443'])
  const wrong = { ...env, HTTPS_PROXY: `http://127.0.0.1:${proxy.port}` }
  await expect(createConnections(wrong)()(to)).rejects.toMatchObject({
    code: 'entra_unreachable',
    message: expect.stringContaining('answered 407 instead of connecting to login.example:8443'),
  })
  const direct = { AZURE_AUTHORITY_HOST: `https://127.0.0.1:${port}`, HTTPS_PROXY: env.HTTPS_PROXY }
  expect(await echo(await createConnections(direct)()({ host: '127.0.0.1', port }))).toBe('hello')
  expect(proxy.tunnels).toHaveLength(1)
})

test('a proxy with an https:// URL is refused, without its password', () => {
  const env = { HTTPS_PROXY: 'https://user:secret@proxy.example:3128' }
  expect(() => createConnections(env)).toThrow(/HTTPS_PROXY: has an https:\/\/ URL, (?!.*secret)/)
})

test('a broker opens 32 connections at once and then 5 a second, whatever others do', async () => {
  vi.useFakeTimers({ toFake: ['performance'] })
  onTestFinished(() => void vi.useRealTimers())
  const port = await listen()
  const create = createConnections({ AZURE_AUTHORITY_HOST: `https://127.0.0.1:${port}` })
  const sockets: Socket[] = []
  onTestFinished(() => sockets.forEach((socket) => socket.destroy()))
  const [open, openOther] = [create(), create()]
  const openMany = (count: number) =>
    Promise.allSettled(
      Array.from({ length: count }, async () =>
        sockets.push(await open({ host: '127.0.0.1', port })),
      ),
    )
  expect(codesOf(await openMany(40))).toEqual(Array(8).fill('overloaded'))
  vi.advanceTimersByTime(2000)
  expect(codesOf(await openMany(12))).toEqual(['overloaded', 'overloaded'])
  sockets.push(await openOther({ host: '127.0.0.1', port }))
})

test('a broker holds 64 connections, as the kernel counts them', async () => {
  vi.useFakeTimers({ toFake: ['performance'] })
  onTestFinished(() => void vi.useRealTimers())
  const port = await listen()
  const open = createConnections({ AZURE_AUTHORITY_HOST: `https://127.0.0.1:${port}` })()
  const sockets: Socket[] = []
  onTestFinished(() => sockets.forEach((socket) => socket.destroy()))
  const openOne = async () => {
    vi.advanceTimersByTime(5000)
    sockets.push(await open({ host: '127.0.0.1', port }))
  }
  for (let count = 0; count < 64; count += 1) await openOne()
  await expect(openOne()).rejects.toMatchObject({ code: 'overloaded' })
  // It keeps the descriptor: a connection whose end was sent is held.
  sockets[0]?.end()
  await expect(openOne()).rejects.toMatchObject({ code: 'overloaded' })
  const [first, second] = sockets
  if (first === undefined || second === undefined) throw new Error('no sockets')
  const closed = [first, second].map((socket) => once(socket, 'close'))
  first.destroy()
  second.destroy()
  await Promise.all(closed)
  await openOne()
  await openOne()
  await expect(openOne()).rejects.toMatchObject({ code: 'overloaded' })
})

test('all brokers together open 512 connections at once and then 200 a second', async () => {
  vi.useFakeTimers({ toFake: ['performance'] })
  onTestFinished(() => void vi.useRealTimers())
  const create = createConnections({ AZURE_AUTHORITY_HOST: 'https://login.example' }, NO_CONNECTION)
  const openMany = (brokers: number) =>
    Promise.allSettled(
      Array.from({ length: brokers }, create).flatMap((open) =>
        Array.from({ length: 32 }, () => open({ host: 'login.example', port: 443 })),
      ),
    )
  const countRefused = async (brokers: number) =>
    codesOf(await openMany(brokers)).filter((code) => code === 'overloaded').length
  expect(await countRefused(17)).toBe(32)
  vi.advanceTimersByTime(1000)
  expect(await countRefused(10)).toBe(120)
})

test('a resolver that is silent for other clouds does not keep the look-ups of the own one waiting', async () => {
  const others = ['login.partner.microsoftonline.cn', 'login.microsoftonline.us']
  const looked: string[] = []
  const lookup = createSharedLookup(new Set(others), (host) => {
    looked.push(host)
    return others.includes(host)
      ? new Promise(() => {})
      : Promise.resolve([{ address: '192.0.2.1', family: 4 }])
  })
  for (const family of [0, 4] as const) for (const host of others) void lookup(host, family)
  const expected = [{ address: '192.0.2.1', family: 4 }]
  expect(await lookup('login.microsoftonline.com', 0)).toEqual(expected)
  expect(await lookup('login.microsoftonline.com', 0)).toEqual(expected)
  expect(looked).toEqual([...others, 'login.microsoftonline.com'])
})
