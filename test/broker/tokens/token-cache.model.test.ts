import * as fc from 'fast-check'
import { expect, test, vi } from 'vitest'
import { TokenCache } from '../../../src/broker/tokens/token-cache.ts'
import { systemClock } from '../../../src/broker/tokens/lifetime.ts'
import { createRetryBudget } from '../../../src/broker/tokens/retries.ts'
import { ask } from './callers.ts'
import { type Behaviour, createScriptedEntra, other } from './scripted-entra.ts'
import {
  CACHE_OPTIONS,
  createAttempt,
  HOUR_MS,
  jump,
  MINUTE_MS,
  startWith,
  TIMEOUT_MS,
  useFakeTime,
} from './setup.ts'
import { specification } from './specification.ts'

type Spec = ReturnType<typeof specification>
interface Real {
  readonly cache: TokenCache
  readonly behave: (behaviour: Behaviour) => void
}
type Command = fc.AsyncCommand<Spec, Real>

const command = (name: string, run: Command['run']): Command => ({
  check: () => true,
  run,
  toString: () => name,
})

const asking = (key: number, times: number, bypassCache: boolean) =>
  command(`ask(${key}, ×${times}${bypassCache ? ', bypass' : ''})`, async (spec, { cache }) => {
    for (let time = 0; time < times; time += 1) {
      const request = { ...other(key), ...(bypassCache && { bypassCache }) }
      const call = spec.call(request)
      const answer = ask(cache.createGet(Infinity), request).then((answered) =>
        spec.check(call, answered),
      )
      // An answer that comes long after this command can still fail the test.
      answer.catch((error: unknown) => failures.push(error))
    }
    await vi.advanceTimersByTimeAsync(0)
    rethrow()
  })

const passing = (ms: number) =>
  command(`pass(${ms} ms)`, async () => {
    await vi.advanceTimersByTimeAsync(ms)
    rethrow()
  })

const behaving = (behaviour: Behaviour) =>
  command(`entra(${JSON.stringify(behaviour)})`, (_spec, { behave }) => {
    behave(behaviour)
    return Promise.resolve()
  })

const jumping = (ms: number) =>
  command(`wall clock(${ms} ms)`, (spec) => {
    spec.clockJumped()
    jump(ms)
    return Promise.resolve()
  })

const rotatingAssertion = () =>
  command('rotate the projected token', async (spec, { cache }) => {
    spec.assertionRotated()
    cache.assertionRotated(other(0).identity.tokenFile)
    await vi.advanceTimersByTimeAsync(0)
    rethrow()
  })

const changingExchange = () =>
  command('change how all keys are exchanged', async (spec, { cache }) => {
    spec.exchangeChanged()
    cache.updateIdentities(({ identity }) => ({
      ...identity,
      tokenFile: `${identity.tokenFile}-next`,
    }))
    await vi.advanceTimersByTimeAsync(0)
    rethrow()
  })

const removing = (key: number) =>
  command(`remove(${key})`, async (spec, { cache }) => {
    const removed = other(key)
    spec.removed(removed)
    cache.updateIdentities(({ identity, scope }) =>
      scope === removed.scope ? undefined : identity,
    )
    expect(cache.entries().map(({ request }) => request.scope)).not.toContain(removed.scope)
    await vi.advanceTimersByTimeAsync(0)
    rethrow()
  })

const latencyMs = fc.constantFrom(0, 1, 100, 800, 10_000)
const up = fc.record(
  {
    latencyMs,
    lifetimeMs: fc.constantFrom(400, 1000, 3000, 6000, 10 * MINUTE_MS, HOUR_MS, 24 * HOUR_MS),
    refreshInMs: fc.constantFrom(1000, 3000, 30 * MINUTE_MS, 50 * HOUR_MS),
  },
  { requiredKeys: ['latencyMs'] },
)
const failing = fc.record(
  {
    latencyMs,
    error: fc.constantFrom(
      'entra_unreachable',
      'entra_unavailable',
      'entra_throttled',
      'entra_timeout',
      'assertion_missing',
      'assertion_expired',
      'issuer_unreachable',
      'federated_credential_not_found',
      'application_refused',
      'internal',
    ),
    retryAfterMs: fc.constantFrom(1000, 20_000, 3 * MINUTE_MS),
  },
  { requiredKeys: ['latencyMs', 'error'] },
)
const waitMs = fc.oneof(
  fc.nat(3000),
  fc.constantFrom(5000, 10_001, 13_000, 30_001),
  fc.integer({ min: 3000, max: 15 * MINUTE_MS }),
  fc.integer({ min: MINUTE_MS, max: 3 * HOUR_MS }),
)
const jumpMs = fc.constantFrom(-24 * HOUR_MS, -HOUR_MS, -2000, 2000, 20 * MINUTE_MS, 5 * HOUR_MS)

const commands = fc.commands(
  [
    fc
      .tuple(fc.nat(2), fc.integer({ min: 1, max: 3 }), fc.boolean())
      .map(([key, times, bypass]) => asking(key, times, bypass)),
    fc.tuple(fc.nat(2)).map(([key]) => asking(key, 1, false)),
    waitMs.map(passing),
    up.map(behaving),
    failing.map(behaving),
    jumpMs.map(jumping),
    fc.constant(rotatingAssertion()),
    fc.nat(2).map(removing),
    fc.constant(changingExchange()),
  ],
  { maxCommands: 60 },
)

let failures: unknown[] = []
function rethrow(): void {
  const [first] = failures
  if (first !== undefined) throw first
}

useFakeTime()

test('the cache meets its specification in every order of events', async () => {
  await fc.assert(
    fc.asyncProperty(commands, fc.double({ min: 0, max: 0.999, noNaN: true }), async (run, r) => {
      failures = []
      const spec = specification()
      const entra = createScriptedEntra()
      const retried = startWith(createAttempt(entra.source), {
        clock: systemClock,
        timeoutMs: TIMEOUT_MS,
        budget: createRetryBudget(systemClock),
        random: () => r,
      })
      const cache = new TokenCache(spec.watch(retried), {
        ...CACHE_OPTIONS,
        maxEntries: 10,
        timeoutMs: TIMEOUT_MS,
        random: () => r,
      })
      try {
        await fc.asyncModelRun(() => ({ model: spec, real: { cache, behave: entra.behave } }), run)
        // Time runs on until every caller has its answer.
        await vi.advanceTimersByTimeAsync(30_000)
        rethrow()
        spec.checkBackoff()
        expect(cache.entries().length).toBeLessThanOrEqual(3)
      } finally {
        cache.close()
        vi.clearAllTimers()
      }
    }),
    { numRuns: 150 },
  )
})
