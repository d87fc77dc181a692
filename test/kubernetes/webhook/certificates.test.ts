/** The webhook's certificate: shared, renewed in time, and trusted through every change. */
import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type Server } from 'node:https'
import { connect } from 'node:tls'
import { describe, expect, test } from 'vitest'
import { keepCertificate } from '../../../src/kubernetes/webhook/certificate-keeper.ts'
import {
  type CertificateMaterial,
  type CertificateStore,
  currentCertificate,
  expiryOf,
} from '../../../src/kubernetes/webhook/certificates.ts'
import { portOf } from '../../fixtures/listening.ts'

const DAY_MS = 86_400_000
const LIFETIME_MS = 90 * DAY_MS
const NAMES = ['wimds.wimds.svc']
const NOW = Date.UTC(2026, 10, 24)

interface MemoryStore extends CertificateStore {
  material: CertificateMaterial | undefined
  writes: number
}

/** A store as the API server is one: whoever writes upon an old reading is told so. */
function memoryStore(material?: CertificateMaterial): MemoryStore {
  const store: MemoryStore = {
    material,
    writes: 0,
    read: () => Promise.resolve({ material: store.material, revision: String(store.writes) }),
    write: (next, revision) => {
      if (revision !== String(store.writes)) return Promise.resolve(false)
      store.writes += 1
      store.material = next
      return Promise.resolve(true)
    },
  }
  return store
}

const current = (store: CertificateStore, now = NOW, trusted?: string) =>
  currentCertificate(store, { names: NAMES, lifetimeMs: LIFETIME_MS, now: () => now, trusted })

const authoritiesIn = (pem: string) =>
  pem.split(/(?=-----BEGIN)/).map((each) => new X509Certificate(each))

test('the first replica makes a certificate for the Service’s name, and its authority signs it', async () => {
  const material = await current(memoryStore())
  const leaf = new X509Certificate(material.certPem)
  expect(leaf.checkHost('wimds.wimds.svc')).toBe('wimds.wimds.svc')
  expect(leaf.checkIssued(new X509Certificate(material.caPem))).toBe(true)
  expect(expiryOf(material)).toBe(NOW + LIFETIME_MS)
})

test('replicas that start together end up with one certificate', async () => {
  const store = memoryStore()
  const [one, other] = await Promise.all([current(store), current(store)])
  expect(one).toEqual(other)
  expect(store.writes).toBe(1)
})

test('a store that takes nothing is asked a few times only', async () => {
  const store = memoryStore()
  let writes = 0
  const refusing = { ...store, write: () => Promise.resolve(++writes > 100) }
  await expect(current(refusing)).rejects.toThrow('could not be stored')
  expect(writes).toBe(3)
})

test('a certificate is kept until a third of its life is left', async () => {
  const store = memoryStore()
  const made = await current(store)
  expect(await current(store, NOW + 59 * DAY_MS)).toEqual(made)
  const renewed = await current(store, NOW + 61 * DAY_MS)
  expect(renewed.certPem).not.toBe(made.certPem)
})

test('a renewal still trusts the authority of the certificate that is being served', async () => {
  const store = memoryStore()
  const made = await current(store)
  const renewed = await current(store, NOW + 61 * DAY_MS)
  expect(renewed.caPem).toContain(made.caPem)
  expect(authoritiesIn(renewed.caPem)).toHaveLength(2)
})

test('an emptied store is filled again, and what is being served stays trusted', async () => {
  const made = await current(memoryStore())
  const renewed = await current(memoryStore(), NOW, made.caPem)
  expect(renewed.caPem).toContain(made.caPem)
})

test('authorities that have ended are dropped', async () => {
  const store = memoryStore()
  await current(store)
  const late = await current(store, NOW + 92 * DAY_MS)
  expect(authoritiesIn(late.caPem)).toHaveLength(1)
})

describe('a stored certificate is replaced', () => {
  test.each<
    [string, (material: CertificateMaterial, other: CertificateMaterial) => CertificateMaterial]
  >([
    ['with another’s key', (material, { keyPem }) => ({ ...material, keyPem })],
    [
      'that no authority in the store has signed',
      (material, { caPem }) => ({ ...material, caPem }),
    ],
    ['that is garbage', (material) => ({ ...material, certPem: 'garbage' })],
  ])('%s', async (_, spoil) => {
    const [material, other] = [await current(memoryStore()), await current(memoryStore())]
    const store = memoryStore(spoil(material, other))
    await current(store)
    expect(store.writes).toBe(1)
  })

  test('that is for another name', async () => {
    const store = memoryStore(await current(memoryStore()))
    const names = ['other.wimds.svc']
    await currentCertificate(store, { names, lifetimeMs: LIFETIME_MS, now: () => NOW })
    expect(store.writes).toBe(1)
  })
})

describe('a running server', () => {
  test('serves a new certificate without a restart, after its authority was published', async () => {
    const certificates = [await current(memoryStore()), await current(memoryStore())]
    const server = createServer((_, reply) => reply.end())
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const events: string[] = []
    let index = 0
    const keeper = keepCertificate({
      current: () => Promise.resolve(certificates[index] ?? Promise.reject(new Error('none'))),
      publish: async (caPem) => void events.push(`trust ${nameIn(caPem)}`),
      serve: ({ certPem, keyPem }) => {
        server.setSecureContext({ cert: certPem, key: keyPem })
        events.push(`serve ${certPem}`)
      },
      onError: (error) => events.push(String(error)),
      everyMs: 5,
      settleMs: 5,
    })
    await expect.poll(() => keeper.served()).toBe(certificates[0])
    expect(await servedBy(server)).toBe(fingerprint(certificates[0]))
    index = 1
    await expect.poll(() => keeper.served()).toBe(certificates[1])
    expect(await servedBy(server)).toBe(fingerprint(certificates[1]))
    const at = (event: string) => events.indexOf(event)
    expect(at(`trust ${nameIn(certificates[1]?.caPem)}`)).toBeLessThan(
      at(`serve ${certificates[1]?.certPem}`),
    )
    await keeper.stop()
    server.close()
  })

  test('keeps what it serves when a look fails, and tells', async () => {
    const [material] = [await current(memoryStore())]
    const errors: unknown[] = []
    let fails = false
    const keeper = keepCertificate({
      current: () => (fails ? Promise.reject(new Error('gone')) : Promise.resolve(material)),
      publish: async () => {},
      serve: () => {},
      onError: (error) => errors.push(error),
      everyMs: 2,
    })
    await expect.poll(() => keeper.served()).toBe(material)
    fails = true
    await expect.poll(() => errors.length).toBeGreaterThan(1)
    expect(keeper.served()).toBe(material)
    await keeper.stop()
  })

  test('is looked after less and less often until there is a certificate, then as told', async () => {
    const [material] = [await current(memoryStore())]
    const pauses: number[] = []
    const goOn = Promise.withResolvers<void>()
    const keeper = keepCertificate({
      current: () =>
        pauses.length < 6 ? Promise.reject(new Error('no')) : Promise.resolve(material),
      publish: async () => {},
      serve: () => {},
      onError: () => {},
      everyMs: 10_000,
      pause: (ms) => {
        pauses.push(ms)
        return pauses.length < 7 ? Promise.resolve() : goOn.promise
      },
    })
    await expect.poll(() => pauses.length).toBe(7)
    for (const [index, ceiling] of [1000, 2000, 4000, 8000].entries()) {
      expect(pauses[index]).toBeLessThanOrEqual(ceiling)
      expect(pauses[index]).toBeGreaterThanOrEqual(ceiling / 2)
    }
    expect(pauses[5]).toBe(10_000)
    expect(pauses[6]).toBe(10_000)
    const stopped = keeper.stop()
    goOn.resolve()
    await stopped
  })

  test('says nothing of what its end cuts short', async () => {
    const errors: unknown[] = []
    const call = Promise.withResolvers<CertificateMaterial>()
    const keeper = keepCertificate({
      current: () => call.promise,
      publish: async () => {},
      serve: () => {},
      onError: (error) => errors.push(error),
    })
    const stopped = keeper.stop()
    call.reject(new Error('aborted'))
    await stopped
    expect(errors).toEqual([])
  })
})

const nameIn = (pem = '') => new X509Certificate(pem).fingerprint256
const fingerprint = (material?: CertificateMaterial) => nameIn(material?.certPem)

/** The fingerprint of the certificate that a new connection is shown. */
async function servedBy(server: Server): Promise<string> {
  const socket = connect({ port: portOf(server), host: '127.0.0.1', rejectUnauthorized: false })
  await once(socket, 'secureConnect')
  const { fingerprint256 } = socket.getPeerCertificate()
  socket.destroy()
  return fingerprint256
}
