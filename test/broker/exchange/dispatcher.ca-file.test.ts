/** The CA file while it is rotated, over real TLS. */
import { once } from 'node:events'
import { rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:https'
import { Agent, type Dispatcher } from 'undici'
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from 'vitest'
import { followCertificates } from '../../../src/broker/exchange/dispatcher.ts'
import { type CertificateAuthority, createCertificateAuthority } from '../../../src/lib/x509.ts'
import { createFolder } from '../../fixtures/folder.ts'
import { listening, portOf } from '../../fixtures/listening.ts'
import { send, toEntra } from './ways.ts'

let resources: AsyncDisposableStack
let file: string
let oldCa: CertificateAuthority
let newCa: CertificateAuthority
let server: Server

/** Starts a server whose certificate is issued by the old CA, which the file has. */
beforeEach(async () => {
  resources = new AsyncDisposableStack()
  oldCa = await createCertificateAuthority()
  newCa = await createCertificateAuthority()
  file = resources.use(createFolder()).write('ca.crt', oldCa.caPem)
  server = createServer(await certificateOf(oldCa), (_, response) => response.end())
  resources.use(await listening(server))
})
afterEach(() => resources.disposeAsync())

async function certificateOf(ca: CertificateAuthority) {
  const issued = await ca.issue({ names: ['127.0.0.1'] })
  return { cert: issued.certPem, key: issued.keyPem }
}

/** Gives the server a certificate of the new CA, and closes the connections with the old certificate. */
async function rotateServer(): Promise<void> {
  server.setSecureContext(await certificateOf(newCa))
  server.closeAllConnections()
}

/** Returns a function that sends requests of one dispatcher, which trusts the certificates of the file. */
function connect(dispatcher: Dispatcher = toEntra({ ca: { file, pem: oldCa.caPem } })) {
  return () => send(`https://127.0.0.1:${portOf(server)}/`, dispatcher)
}

const createTrusting = (pem = '') => new Agent({ connect: { ca: pem } })

test('a CA that was removed from the file is no longer trusted, also on open connections', async () => {
  const get = connect()
  expect(await get()).toBe(200)
  await writeFile(file, newCa.caPem)
  expect(await get()).toMatchObject({ code: 'SELF_SIGNED_CERT_IN_CHAIN' })
})

test('requests that are running when the file changes are served', async () => {
  const get = connect()
  const slow = Promise.withResolvers<void>()
  server.removeAllListeners('request')
  server.on('request', (_, response) => void slow.promise.then(() => response.end()))
  const inflight = get()
  await once(server, 'request')
  await writeFile(file, `${oldCa.caPem}${newCa.caPem}`)
  const next = get()
  await once(server, 'request')
  slow.resolve()
  expect(await Promise.all([inflight, next])).toEqual([200, 200])
})

test('while the file system hangs, requests share one read and are sent after a second', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  onTestFinished(() => void vi.useRealTimers())
  let reads = 0
  const hang = () => {
    reads += 1
    return new Promise<never>(() => {})
  }
  const dispatcher = followCertificates({ file, pem: oldCa.caPem }, createTrusting, hang)
  resources.defer(() => dispatcher.destroy())
  const get = connect(dispatcher)
  const replies = Promise.all([get(), get()])
  await vi.advanceTimersByTimeAsync(1000)
  expect(await replies).toEqual([200, 200])
  expect(reads).toBe(1)
})

test.each([
  ['is gone', () => rm(file)],
  ['has a broken certificate', () => writeFile(file, newCa.caPem.replace('MII', '!!!'))],
])('while the file %s, the last good certificates stay in use', async (_, spoil) => {
  const get = connect()
  expect(await get()).toBe(200)
  await spoil()
  server.closeAllConnections()
  expect(await get()).toBe(200)
  await writeFile(file, newCa.caPem)
  await rotateServer()
  expect(await get()).toBe(200)
})
