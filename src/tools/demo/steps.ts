/** The steps of the demo. Each one does something real, checks the result and prints it. */
import assert from 'node:assert/strict'
import { BILLING } from '../simulator/defaults.ts'
import type { Simulator } from '../simulator/simulator.ts'
import { requestToken, type Sidecar } from './sidecar.ts'
import { SECRET, VAULT } from './vault.ts'

interface DemoParts {
  readonly simulator: Simulator
  readonly sidecar: Sidecar
  /** Runs the application. */
  readonly fetchSecret: () => Promise<{ readonly value: string; readonly tokenMs: number }>
  readonly print: (line: string) => void
}

const STORAGE = 'https://storage.azure.com/'

/** Runs all steps. Throws at the first one with an unexpected result. */
export async function runSteps(parts: DemoParts): Promise<void> {
  await getFirstToken(parts)
  await getCachedToken(parts)
  await rotateKeys(parts)
  await requestWrongIdentity(parts)
}

async function getFirstToken({ simulator, fetchSecret, print }: DemoParts): Promise<void> {
  print('1. An application that knows only managed identities reads a secret from the vault.')
  const { value, tokenMs } = await fetchSecret()
  assert(value === SECRET.value, `the vault returned ${JSON.stringify(value)}`)
  expectExchanges(simulator, 1)
  print(`   Its SDK, @azure/msal-node, requested a token for ${VAULT} from IMDS.`)
  print('   wimds sent the projected token to Entra ID, which validated it and issued a token.')
  print(`   The vault validated that token and returned the secret "${value}".`)
  print(`   → token after ${formatMs(tokenMs)}, 1 exchange with Entra ID`)
}

async function getCachedToken(parts: DemoParts): Promise<void> {
  const { simulator, sidecar, fetchSecret, print } = parts
  print('2. The application restarts and requests the same token.')
  const { value } = await fetchSecret()
  const reply = await requestToken(sidecar, { resource: VAULT })
  assert(value === SECRET.value && reply.status === 200, `the sidecar answered ${reply.status}`)
  expectExchanges(simulator, 1)
  print(`   → token from the cache after ${formatMs(reply.ms)}, no further exchange`)
}

async function rotateKeys({ simulator, sidecar, print }: DemoParts): Promise<void> {
  print('3. The cluster rotates its signing key, the kubelet rotates the projected token, and the')
  print('   application requests a token for another resource.')
  await simulator.issuer.rotateKey()
  await simulator.rotateToken()
  // From here on, Entra ID rejects the old projected token.
  simulator.issuer.retireOldKeys()
  const reply = await requestToken(sidecar, { resource: STORAGE })
  assert(reply.status === 200, `the sidecar answered ${reply.status}: ${reply.error}`)
  expectExchanges(simulator, 2)
  print(`   → token for ${STORAGE} after ${formatMs(reply.ms)}, with the new projected token`)
}

async function requestWrongIdentity({ sidecar, print }: DemoParts): Promise<void> {
  print('4. The application requests an identity without a federated credential for this pod.')
  print('   It gets no token, but an error that says why, and the fix:')
  const reply = await requestToken(sidecar, { resource: VAULT, client_id: BILLING.clientId })
  assert(reply.status >= 400, 'the sidecar returned a token of an identity that it must not use')
  assert(reply.error.includes('AADSTS700213'), `the error has no AADSTS code: ${reply.error}`)
  const [rejection] = /^[^.]+/.exec(reply.error) ?? []
  const [, fix] = /Fix: ([^,;]+)/.exec(reply.error) ?? []
  print(`   → ${reply.status}: ${rejection}`)
  print(`     Fix: ${fix}`)
}

function expectExchanges(simulator: Simulator, expected: number): void {
  const actual = simulator.exchanges()
  assert(actual === expected, `Entra ID got ${actual} exchanges, expected ${expected}`)
}

function formatMs(value: number): string {
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`
}
