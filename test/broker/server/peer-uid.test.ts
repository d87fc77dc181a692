import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { promisify } from 'node:util'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, test } from 'vitest'
import { DOCS_URL } from '../../../src/lib/version.ts'
import { redirect } from '../../../src/sidecar/redirect.ts'
import { createPeerUidLookup, type ReadTable } from '../../../src/broker/server/peer-uid.ts'
import { captureIo } from '../../tools/capture.ts'
import { portOf } from '../../fixtures/listening.ts'
import { becomeUser } from '../../fixtures/run-program.ts'
import { podNetwork, reasonToSkip } from '../../redirect/namespace.ts'

const needsRoot = process.getuid?.() === 0 ? undefined : 'other uids need root'
const reason = needsRoot ?? reasonToSkip()
if (reason !== undefined) process.stderr.write(`skipped test/server/peer-uid: ${reason}\n`)

const run = promisify(execFile)

/** Answers each connection with the uid of its other end. */
async function startServer(host: string, findPeerUid = createPeerUidLookup()) {
  const server = createServer((socket) => {
    socket.on('error', () => {})
    findPeerUid(socket).then(
      (uid) => socket.end(`${uid}`),
      (error: unknown) => socket.end(String(error)),
    )
  })
  server.listen({ port: 0, host, ipv6Only: false })
  await once(server, 'listening')
  return { port: portOf(server), [Symbol.dispose]: () => server.close() }
}

const CLIENT = `
  const socket = require('node:net').connect(process.argv[1], process.argv[2])
  socket.on('data', (data) => console.log(String(data)))`

/** Returns what a program of this uid is answered. */
async function askAs(uid: number, port: number, host: string): Promise<string> {
  const { stdout } = await run(process.execPath, ['-e', becomeUser(uid) + CLIENT, `${port}`, host])
  return stdout.trim()
}

describe.skipIf(needsRoot !== undefined)('the uid of a program on this machine', () => {
  test.each([
    ['IPv4', '127.0.0.1', '127.0.0.1'],
    ['IPv6', '::1', '::1'],
    ['IPv4 to a server of both', '::', '127.0.0.1'],
    ['IPv6 to a server of both', '::', '::1'],
    ['a v4-mapped address', '127.0.0.1', '::ffff:127.0.0.1'],
    ['a v4-mapped address to a server of both', '::', '::ffff:127.0.0.1'],
  ])('is found over %s', async (_, listen, address) => {
    using server = await startServer(listen)
    expect(await Promise.all([1234, 0].map((uid) => askAs(uid, server.port, address)))).toEqual([
      '1234',
      '0',
    ])
  })
})

describe.skipIf(reason !== undefined)('the uid of a program in a pod', () => {
  test.each(['loopback', 'nft'])('is found through the redirect of mode %s', async (mode) => {
    using pod = await podNetwork()
    const module = new URL('../../../src/broker/server/peer-uid.ts', import.meta.url)
    const server = pod.script(`
      import('${module.href}').then(({ createPeerUidLookup }) => {
        const findPeerUid = createPeerUidLookup()
        require('node:http').createServer(async (request, response) => {
          response.end(String(await findPeerUid(request.socket)))
        }).listen(8000, '127.0.0.1', () => console.log('listening'))
      })`)
    await server.firstLine
    const io = captureIo({ PATH: pod.path })
    await redirect(['--mode', mode], io)
    expect(io.err()).toBe('')
    expect([1234, 0, 65_534].map((uid) => pod.fetchMetadata(uid))).toEqual(['1234', '0', '65534'])
  })
})

const PEER = { remoteAddress: '10.0.0.7', remotePort: 40_000 }
const OWN = { localAddress: '127.0.0.1', localPort: 8000 }
const createSocket = () => ({ ...PEER, ...OWN })

/** Formats a row as the kernel does. */
const row = (own: string, other: string, uid: number, { inode = 4242, state = '01' } = {}) =>
  `   0: ${own} ${other} ${state} 00000000:00000000 00:00000000 00000000  ${uid}        0 ${inode} 1 0 20 4 30 10 -1\n`

const ROW = row('0700000A:9C40', '0100007F:1F40', 1000)

/** Reads tables that hold this text, in two pieces; IPv6 has none. */
const tableOf = (text: string): ReadTable =>
  async function* (path) {
    if (path.endsWith('tcp6')) return
    yield text.slice(0, 30)
    yield text.slice(30)
  }

const OWN_ROW = ['0700000A:9C40', '0100007F:1F40'] as const
const METADATA_ROW = row('0700000A:9C40', 'FEA9FEA9:0050', 7)

test.each([
  ['its own row', ROW, 1000],
  ['a row that leads to the metadata address', METADATA_ROW, 7],
  ['another destination of the same port', row('0700000A:9C40', '0500000A:01BB', 7), undefined],
  ['another port', row('0700000A:9C41', '0100007F:1F40', 7), undefined],
  ['a socket that has been closed', row(...OWN_ROW, 0, { inode: 0 }), undefined],
  ['a row that is not established', row(...OWN_ROW, 7, { state: '02' }), undefined],
  // Another program had this port, and the server has closed its connection.
  ['a row and the row of another program', row(...OWN_ROW, 8, { state: '08' }) + METADATA_ROW, 7],
  ['the other direction', row('0100007F:1F40', '0700000A:9C40', 7), undefined],
  ['a table that is no such table', 'x\n\n', undefined],
  ['an empty table', '', undefined],
])('the uid in %s', async (_, table, uid) => {
  const findPeerUid = createPeerUidLookup(tableOf(table))
  expect(await findPeerUid(createSocket())).toBe(uid)
})

test('a connection without addresses has no uid', async () => {
  const findPeerUid = createPeerUidLookup(tableOf(ROW))
  const closed: Pick<Socket, 'remoteAddress' | 'remotePort' | 'localAddress' | 'localPort'> = {
    remoteAddress: undefined,
    remotePort: undefined,
  }
  expect(await findPeerUid(closed)).toBeUndefined()
})

/** Fails to read tables whose path ends like this. */
const failingFor = (end: string, code: string): ReadTable =>
  async function* (path) {
    if (path.endsWith(end)) throw Object.assign(new Error('it failed'), { code })
    yield ROW
  }

test('a machine without IPv6 has the table of IPv4 alone', async () => {
  const findPeerUid = createPeerUidLookup(failingFor('tcp6', 'ENOENT'))
  expect(await findPeerUid(createSocket())).toBe(1000)
})

test.each([
  ['tcp', 'ENOENT'],
  ['tcp', 'ERR_ACCESS_DENIED'],
  ['tcp6', 'ERR_ACCESS_DENIED'],
])('a table %s that cannot be read (%s) rejects the caller, and says why', async (name, code) => {
  const findPeerUid = createPeerUidLookup(failingFor(name, code))
  await expect(findPeerUid(createSocket())).rejects.toThrow(
    expect.objectContaining({
      code: 'caller_not_allowed',
      message: `the uid of the caller is not known: /proc/self/net/${name} cannot be read (${code}). Fix: keep the NODE_OPTIONS of the image, or allow reading /proc/self/net/${name}: ${DOCS_URL}/security.html`,
    }),
  )
})

test('a connection is looked up again after a table could not be read', async () => {
  const tables = [failingFor('tcp', 'EMFILE'), tableOf(ROW)]
  const findPeerUid = createPeerUidLookup((path) => (tables[0] ?? tableOf(ROW))(path))
  const socket = createSocket()
  await expect(findPeerUid(socket)).rejects.toThrow('EMFILE')
  tables.shift()
  expect(await findPeerUid(socket)).toBe(1000)
})

test('a socket that the first read has missed is found by the next', async () => {
  const tables = ['', '', ROW]
  const findPeerUid = createPeerUidLookup((path) => tableOf(tables.shift() ?? ROW)(path))
  expect(await findPeerUid(createSocket())).toBe(1000)
})

const hex = (port: number) => port.toString(16).toUpperCase().padStart(4, '0')

test('keeps no table of 60 000 sockets', async () => {
  setFlagsFromString('--expose-gc')
  const collectGarbage: () => void = runInNewContext('gc')
  const findPeerUid = createPeerUidLookup(async function* () {
    yield ROW
    for (let at = 1; at <= 60_000; at += 1) yield row(`0900000A:${hex(at)}`, '0100007F:1F40', 1)
  })
  collectGarbage()
  const before = process.memoryUsage().heapUsed
  await findPeerUid(createSocket())
  collectGarbage()
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(3e6)
})

/** Counts the reads of IPv4's table; each read shows the next uid from 1001; `release` ends the last one. */
function gatedReads() {
  const gates: PromiseWithResolvers<void>[] = []
  const readTable: ReadTable = async function* (path) {
    if (path.endsWith('tcp6')) return
    const gate = Promise.withResolvers<void>()
    const uid = 1000 + gates.push(gate)
    await gate.promise
    yield row(...OWN_ROW, uid)
  }
  return { readTable, reads: () => gates.length, release: () => gates.at(-1)?.resolve() }
}

test('a connection is looked up once, whatever it asks for', async () => {
  const { readTable, reads, release } = gatedReads()
  const findPeerUid = createPeerUidLookup(readTable)
  const socket = createSocket()
  const uids = [findPeerUid(socket), findPeerUid(socket)]
  await expect.poll(reads).toBe(1)
  release()
  expect(await Promise.all(uids)).toEqual([1001, 1001])
  expect(await findPeerUid(socket)).toBe(1001)
  expect(reads()).toBe(1)
})

test('8000 connections that arrive during a read share the next one, which does not show the past', async () => {
  const { readTable, reads, release } = gatedReads()
  const findPeerUid = createPeerUidLookup(readTable)
  const first = findPeerUid(createSocket())
  await expect.poll(reads).toBe(1)
  const others = Array.from({ length: 8000 }, () => findPeerUid(createSocket()))
  expect(reads()).toBe(1)
  release()
  expect(await first).toBe(1001)
  await expect.poll(reads).toBe(2)
  release()
  expect(new Set(await Promise.all(others))).toEqual(new Set([1002]))
  expect(reads()).toBe(2)
})

test('a program that has closed its connection has no uid', async () => {
  const { promise: accepted, resolve } = Promise.withResolvers<Socket>()
  const server = createServer({ allowHalfOpen: true }, resolve).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const client = connect(portOf(server), '127.0.0.1')
  const socket = await accepted
  client.destroy()
  await once(socket.resume(), 'end')
  expect(await createPeerUidLookup()(socket)).toBeUndefined()
  socket.destroy()
  server.close()
})
