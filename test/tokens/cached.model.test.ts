import * as fc from 'fast-check'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { cached, type TokenCache } from '../../src/tokens/token-cache.ts'
import { ask } from './callers.ts'
import { type Behaviour, HOUR_MS, other, scriptedEntra } from './scripted-entra.ts'
import { specification } from './specification.ts'

const MINUTE_MS = 60_000

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
      const answer = ask(cache.tokens, request).then((heard) => spec.heard(call, heard))
      // Its failure is the test's, also when it comes long after this command.
      answer.catch((error: unknown) => failures.push(error))
    }
    await vi.advanceTimersByTimeAsync(0)
    surface()
  })

const passing = (ms: number) =>
  command(`pass(${ms} ms)`, async () => {
    await vi.advanceTimersByTimeAsync(ms)
    surface()
  })

const behaving = (behaviour: Behaviour) =>
  command(`entra(${JSON.stringify(behaviour)})`, (_spec, { behave }) => {
    behave(behaviour)
    return Promise.resolve()
  })

const jumping = (ms: number) =>
  command(`wall clock(${ms} ms)`, (spec) => {
    spec.clockJumped()
    vi.setSystemTime(Date.now() + ms)
    return Promise.resolve()
  })

const renewingAssertion = () =>
  command('new projected token', async (spec, { cache }) => {
    spec.assertionChanged()
    cache.assertionChanged(other(0).identity.tokenFile)
    await vi.advanceTimersByTimeAsync(0)
    surface()
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
      'trust_propagating',
      'issuer_unreachable',
      'federated_credential_not_found',
      'application_refused',
      'internal',
    ),
    retryAfterMs: fc.constantFrom(1000, 20_000, 3 * MINUTE_MS),
  },
  { requiredKeys: ['latencyMs', 'error'] },
)
const aWhile = fc.oneof(
  fc.nat(3000),
  fc.constantFrom(5000, 10_001, 13_000, 30_001),
  fc.integer({ min: 3000, max: 15 * MINUTE_MS }),
  fc.integer({ min: MINUTE_MS, max: 3 * HOUR_MS }),
)
const jump = fc.constantFrom(-24 * HOUR_MS, -HOUR_MS, -2000, 2000, 20 * MINUTE_MS, 5 * HOUR_MS)

const commands = fc.commands(
  [
    fc
      .tuple(fc.nat(2), fc.integer({ min: 1, max: 3 }), fc.boolean())
      .map(([key, times, bypass]) => asking(key, times, bypass)),
    fc.tuple(fc.nat(2)).map(([key]) => asking(key, 1, false)),
    aWhile.map(passing),
    up.map(behaving),
    failing.map(behaving),
    jump.map(jumping),
    fc.constant(renewingAssertion()),
  ],
  { maxCommands: 60 },
)

let failures: unknown[] = []
function surface(): void {
  const [first] = failures
  if (first !== undefined) throw first
}

beforeEach(() => {
  failures = []
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

test('whatever happens in whatever order, the cache does what it promises', async () => {
  await fc.assert(
    fc.asyncProperty(commands, fc.double({ min: 0, max: 0.999, noNaN: true }), async (run, r) => {
      failures = []
      const spec = specification()
      const entra = scriptedEntra()
      const cache = cached(spec.watch(entra.source), { max: 10, random: () => r })
      try {
        await fc.asyncModelRun(() => ({ model: spec, real: { cache, behave: entra.behave } }), run)
        // Long enough for every caller to have been answered.
        await vi.advanceTimersByTimeAsync(15_000)
        surface()
        spec.checkPace()
        expect(cache.entries().length).toBeLessThanOrEqual(3)
      } finally {
        cache.close()
        vi.clearAllTimers()
      }
    }),
    { numRuns: 500 },
  )
})
