/** The certificate that the replicas of the webhook share: when it is created, and when it is replaced. */
import { X509Certificate } from 'node:crypto'
import { afterEach, expect, test, vi } from 'vitest'
import { ensureCertificate } from '../../../src/injection/webhook/certificate-rotation.ts'
import type { CertificateStore } from '../../../src/injection/webhook/certificate-store.ts'
import {
  type CertificateMaterial,
  parseExpiry,
} from '../../../src/injection/webhook/certificates.ts'

const DAY_MS = 86_400_000
const LIFETIME_MS = 90 * DAY_MS
const NAME = 'wimds.wimds.svc'
const NOW = Date.UTC(2026, 10, 24)

interface MemoryStore extends CertificateStore {
  material: CertificateMaterial | undefined
  writes: number
}

/** A store that reports a write of an old revision as a conflict. */
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

afterEach(() => void vi.useRealTimers())

function current(store: CertificateStore, { now = NOW, known = '', name = NAME } = {}) {
  vi.useFakeTimers({ toFake: ['Date'], now })
  return ensureCertificate(store, name, known)
}

const splitCertificates = (pem: string) =>
  pem.split(/(?=-----BEGIN)/).map((each) => new X509Certificate(each))

test('replicas that start together share one certificate for the name of the Service', async () => {
  const store = memoryStore()
  const [material, other] = await Promise.all([current(store), current(store)])
  expect(other).toEqual(material)
  expect(store.writes).toBe(1)
  const leaf = new X509Certificate(material.certPem)
  expect(leaf.checkHost('wimds.wimds.svc')).toBe('wimds.wimds.svc')
  expect(leaf.checkIssued(new X509Certificate(material.caPem))).toBe(true)
  expect(parseExpiry(material.certPem)).toBe(NOW + LIFETIME_MS)
})

test('throws if every write conflicts', async () => {
  const store = memoryStore()
  let writes = 0
  const refusing = { ...store, write: () => Promise.resolve(++writes > 100) }
  await expect(current(refusing)).rejects.toThrow('could not be stored')
  expect(writes).toBe(3)
})

test('rotates a certificate when a third of its life is left, and keeps its CA until that has expired', async () => {
  const store = memoryStore()
  const made = await current(store)
  expect(await current(store, { now: NOW + 59 * DAY_MS })).toEqual(made)
  const known = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'
  store.material = { ...made, caPem: made.caPem + known }
  const rotated = await current(store, { now: NOW + 61 * DAY_MS })
  expect(rotated.caPem).toContain(made.caPem)
  // A text that is no certificate is dropped from the CAs.
  expect(splitCertificates(rotated.caPem)).toHaveLength(2)
  // The Secret was deleted, but the replica still serves its certificate.
  const refilled = await current(memoryStore(), { known: made.caPem })
  expect(refilled.caPem).toContain(made.caPem)
  const late = await current(memoryStore(made), { now: NOW + 92 * DAY_MS })
  expect(splitCertificates(late.caPem)).toHaveLength(1)
})

test.each<
  [string, (material: CertificateMaterial, other: CertificateMaterial) => CertificateMaterial]
>([
  ['with the key of another', (material, { keyPem }) => ({ ...material, keyPem })],
  ['that no CA of the store has signed', (material, { caPem }) => ({ ...material, caPem })],
  ['that is not PEM', (material) => ({ ...material, certPem: 'garbage' })],
  ['for another name', (_, other) => other],
])('replaces a stored certificate %s', async (_, spoil) => {
  const material = await current(memoryStore())
  const other = await current(memoryStore(), { name: 'other.wimds.svc' })
  const store = memoryStore(spoil(material, other))
  await current(store)
  expect(store.writes).toBe(1)
})
