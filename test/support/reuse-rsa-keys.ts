/** Returns the RSA keys of the run in turn, in place of generating them. Other keys are generated. */
import type { webcrypto } from 'node:crypto'
import { inject } from 'vitest'
import { RSA } from './rsa-keys.ts'

const keys = inject('rsaKeys')
const { subtle } = crypto
const generate: Function = subtle.generateKey.bind(subtle)
let next = 0

const importKey = (key: webcrypto.JsonWebKey, extractable: boolean, usage: webcrypto.KeyUsage) =>
  subtle.importKey('jwk', key, RSA, extractable, [usage])

async function takePair(isExtractable: boolean) {
  const jwk = keys[next % keys.length] ?? {}
  next += 1
  const { kty = '', n = '', e = '' } = jwk
  const privateKey = await importKey({ ...jwk, key_ops: ['sign'] }, isExtractable, 'sign')
  return { privateKey, publicKey: await importKey({ kty, n, e }, true, 'verify') }
}

interface Algorithm {
  readonly name: string
  readonly hash?: unknown
  readonly modulusLength?: number
}

Object.defineProperty(subtle, 'generateKey', {
  value: (algorithm: Algorithm, isExtractable: boolean, usages: unknown): unknown => {
    const { name, hash, modulusLength } = algorithm
    const isUsual = name === RSA.name && hash === RSA.hash && modulusLength === RSA.modulusLength
    return isUsual ? takePair(isExtractable) : generate(algorithm, isExtractable, usages)
  },
})
