/** Rotation of the certificate of a running server. */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { rotateCertificate } from '../../../src/injection/webhook/certificate-rotation.ts'
import type { CertificateMaterial } from '../../../src/injection/webhook/certificates.ts'
import { createPause } from '../../../src/lib/retry.ts'
import { createCertificateAuthority } from '../../../src/lib/x509.ts'

async function createMaterial(): Promise<CertificateMaterial> {
  const authority = await createCertificateAuthority()
  const issued = await authority.issue({ names: ['wimds.wimds.svc'] })
  return { ...issued, caPem: authority.caPem }
}

const [first, second] = [await createMaterial(), await createMaterial()]

const NEVER = new Promise<void>(() => {})

let shutdown: AbortController
/** The certificates that were served, in order. */
let served: CertificateMaterial[]
beforeEach(() => {
  shutdown = new AbortController()
  served = []
})
afterEach(() => shutdown.abort())

/** Starts a rotation that only records the certificates that it serves. It waits one millisecond between checks. */
function rotate(parts: Partial<Parameters<typeof rotateCertificate>[0]>): Promise<void> {
  return rotateCertificate({
    getCertificate: () => Promise.resolve(first),
    publishCa: () => Promise.resolve(),
    serve: (material) => served.push(material),
    onError: () => {},
    signal: shutdown.signal,
    pause: () => sleep(1),
    ...parts,
  })
}

test('publishes the CA every two seconds, and serves a new certificate five seconds after its CA', async () => {
  let current = first
  const events: (number | string)[] = []
  void rotate({
    getCertificate: () => Promise.resolve(current),
    publishCa: (caPem) => {
      events.push(caPem === first.caPem ? 'publish first' : 'publish second')
      return Promise.resolve()
    },
    serve: (material) => events.push(material === first ? 'serve first' : 'serve second'),
    pause: (ms) => {
      events.push(ms)
      if (events.length === 5) current = second
      return events.length < 9 ? Promise.resolve() : NEVER
    },
  })
  await expect.poll(() => events.length).toBe(9)
  expect(events.join(', ')).toBe(
    'publish first, serve first, 2000, publish first, 2000, publish second, 5000, serve second, 2000',
  )
})

test('reports a failed check, keeps the served certificate, and tries again within ten seconds', async () => {
  const errors: unknown[] = []
  const pauses: number[] = []
  let fails = false
  const rotation = rotate({
    getCertificate: () => (fails ? Promise.reject(new Error('gone')) : Promise.resolve(first)),
    onError: (error) => errors.push(error),
    pause: (ms) => {
      pauses.push(ms)
      return sleep(1)
    },
  })
  await expect.poll(() => served).toEqual([first])
  fails = true
  await expect.poll(() => errors.length).toBeGreaterThan(10)
  fails = false
  shutdown.abort()
  await rotation
  expect(served).toEqual([first])
  expect(Math.max(...pauses)).toBe(10_000)
})

test('rotates the certificate while the client CA cannot be read, and keeps the CA in force', async () => {
  let current = first
  const errors: unknown[] = []
  const clientCas: unknown[] = []
  void rotate({
    getCertificate: () => Promise.resolve(current),
    readClientCa: () =>
      current === first ? Promise.resolve('a CA') : Promise.reject(new Error('gone')),
    serve: (material, clientCa) => {
      served.push(material)
      clientCas.push(clientCa)
    },
    onError: (error) => errors.push(error),
  })
  await expect.poll(() => served).toEqual([first])
  current = second
  await expect.poll(() => served).toEqual([first, second])
  expect(clientCas).toEqual(['a CA', 'a CA'])
  expect(errors).toContainEqual(new Error('gone'))
})

test('serves no certificate whose propagation the shutdown has cut short', async () => {
  let current = first
  const pauses: number[] = []
  const rotation = rotate({
    getCertificate: () => Promise.resolve(current),
    pause: (ms) => {
      pauses.push(ms)
      return ms === 5000 ? createPause(shutdown.signal)(ms) : sleep(1)
    },
  })
  await expect.poll(() => served).toEqual([first])
  current = second
  await expect.poll(() => pauses).toContain(5000)
  shutdown.abort()
  await rotation
  expect(served).toEqual([first])
})
