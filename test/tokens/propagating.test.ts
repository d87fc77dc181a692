import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { systemClock } from '../../src/tokens/clock.ts'
import { propagating } from '../../src/tokens/propagating.ts'
import { tokenStack } from '../../src/tokens/stack.ts'
import { ask, askFor } from './callers.ts'
import { scriptedEntra, VAULT } from './scripted-entra.ts'

const MINUTE_MS = 60_000

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

function setUp() {
  const entra = scriptedEntra({ error: 'federated_credential_not_found' })
  const options = { clock: systemClock, graceMs: 10 * MINUTE_MS, max: 10 }
  const tokens = propagating(entra.source, options)
  const said = async () => (await ask(tokens, VAULT)).said
  return { entra, said }
}

test('a missing trust is temporary for the first minutes, then permanent', async () => {
  const { said } = setUp()
  expect(await said()).toBe('trust_propagating')
  await vi.advanceTimersByTimeAsync(9 * MINUTE_MS)
  expect(await said()).toBe('trust_propagating')
  await vi.advanceTimersByTimeAsync(MINUTE_MS)
  expect(await said()).toBe('federated_credential_not_found')
})

test('a Retry-After of Entra ID does not make the wait for it longer', async () => {
  const entra = scriptedEntra({
    error: 'federated_credential_not_found',
    retryAfterMs: 60 * MINUTE_MS,
  })
  const tokens = propagating(entra.source, { clock: systemClock, graceMs: MINUTE_MS, max: 10 })
  expect(await ask(tokens, VAULT)).toMatchObject({
    said: 'trust_propagating',
    retryAfterMs: undefined,
  })
})

test('a token in between begins the minutes anew: nodes of Entra ID differ', async () => {
  const { entra, said } = setUp()
  await said()
  await vi.advanceTimersByTimeAsync(9 * MINUTE_MS)
  entra.behave({})
  await said()
  entra.behave({ error: 'federated_credential_not_found' })
  await vi.advanceTimersByTimeAsync(9 * MINUTE_MS)
  expect(await said()).toBe('trust_propagating')
})

test('so does a time without refusals as long', async () => {
  const { said } = setUp()
  await said()
  await vi.advanceTimersByTimeAsync(60 * MINUTE_MS)
  expect(await said()).toBe('trust_propagating')
})

test('other refusals pass as they are', async () => {
  const { entra, said } = setUp()
  entra.behave({ error: 'federated_credential_mismatch' })
  expect(await said()).toBe('federated_credential_mismatch')
})

test('a credential made minutes after the pod is found slowly, and by no caller', async () => {
  const { entra } = setUp()
  const { tokens } = tokenStack(entra.source, {
    max: 10,
    maxWaiting: 384,
    maxConcurrent: 32,
    timeoutMs: 10_000,
    onExchange: () => {},
    random: () => 0.5,
  })
  const heard = await askFor(tokens, VAULT, { forMs: 4 * MINUTE_MS, everyMs: 500 })
  expect(new Set(heard.map(({ said }) => said))).toEqual(new Set(['trust_propagating']))
  expect(entra.asked.length).toBeLessThan(25)
  entra.behave({})
  await askFor(tokens, VAULT, { forMs: 30_000, everyMs: 500 })
  expect(await ask(tokens, VAULT)).toMatchObject({ ok: true, tookMs: 0 })
})
