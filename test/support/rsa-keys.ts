/** Generates RSA keys once for a run: the keys of a simulator take a tenth of a second of CPU, and hundreds start. */
import type { webcrypto } from 'node:crypto'
import type { TestProject } from 'vitest/node'

export const RSA = {
  name: 'RSASSA-PKCS1-v1_5',
  hash: 'SHA-256',
  modulusLength: 2048,
  publicExponent: new Uint8Array([1, 0, 1]),
}
/** No test uses as many keys at the same time. */
const COUNT = 16

declare module 'vitest' {
  interface ProvidedContext {
    rsaKeys: readonly webcrypto.JsonWebKey[]
  }
}

async function generateKey(): Promise<webcrypto.JsonWebKey> {
  const { privateKey } = await crypto.subtle.generateKey(RSA, true, ['sign', 'verify'])
  return await crypto.subtle.exportKey('jwk', privateKey)
}

export default async function provideKeys(project: TestProject): Promise<void> {
  project.provide('rsaKeys', await Promise.all(Array.from({ length: COUNT }, generateKey)))
}
