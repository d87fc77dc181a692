/** Fake time and a token cache in front of a scripted Entra ID. */
import { afterEach, beforeEach, vi } from 'vitest'
import { systemClock } from '../../../src/broker/tokens/lifetime.ts'
import {
  type AttemptsOptions,
  Exchange,
  type StartExchange,
} from '../../../src/broker/tokens/attempts.ts'
import { createRetryBudget } from '../../../src/broker/tokens/retries.ts'
import { createExchangeLimit, withPermit } from '../../../src/broker/tokens/exchange-limit.ts'
import type { ExchangeEvent } from '../../../src/broker/tokens/exchanges.ts'
import { IdentityFailures } from '../../../src/broker/tokens/identity-failures.ts'
import type { Attempt } from '../../../src/broker/tokens/token.ts'
import { TokenCache, type TokenCacheOptions } from '../../../src/broker/tokens/token-cache.ts'
import { type Behaviour, createScriptedEntra, type ScriptedEntra } from './scripted-entra.ts'

export const SECOND_MS = 1000
export const MINUTE_MS = 60_000
export const HOUR_MS = 3_600_000

/** Makes every test of the file run in fake time. */
export function useFakeTime(): void {
  beforeEach(() => {
    // Includes node:timers/promises.
    vi.useFakeTimers({ fakeNodeBuiltins: true })
  })
  afterEach(() => {
    vi.useRealTimers()
  })
}

/** Sets the wall clock but not the monotonic clock, as an operator does, or as it is after the machine has slept. */
export const jump = (ms: number) => vi.setSystemTime(Date.now() + ms)

export const range = (count: number) => Array.from({ length: count }, (_, index) => index)

/** Options of a cache that reports nothing. */
export const CACHE_OPTIONS: TokenCacheOptions = {
  maxEntries: 100,
  timeoutMs: MINUTE_MS,
  clock: systemClock,
  random: () => 0.5,
  onResult: () => {},
  onExchange: () => {},
}

interface SetUpOptions extends Partial<TokenCacheOptions> {
  readonly behaviour?: Behaviour
}

/** Creates the attempts of a sidecar, with a scripted Entra ID. */
export function createAttempt(
  post: ScriptedEntra['source'],
  { limit, failures } = createProcess(),
): Attempt {
  const attempt: Attempt = async (request, signal, onSent) => {
    onSent()
    return post(request, signal)
  }
  return withPermit(attempt, limit, failures)
}

/** Returns a source of exchanges that make these attempts. */
export const startWith =
  (attempt: Attempt, options: AttemptsOptions): StartExchange =>
  (request) =>
    new Exchange(attempt, request, options)

/** Returns a source of exchanges with one attempt each: it has no retries, and no attempt is silent for long enough. */
function startSingle(
  attempt: Attempt,
  options: Pick<TokenCacheOptions, 'clock' | 'timeoutMs'>,
): StartExchange {
  const single: Attempt = async (request, signal, onSent) => {
    try {
      return await attempt(request, signal, () => {})
    } catch (error) {
      onSent()
      throw error
    }
  }
  return startWith(single, { ...options, budget: () => false })
}

/** Creates a cache whose exchanges go straight to a scripted Entra ID. */
export function setUp({ behaviour = {}, ...options }: SetUpOptions = {}) {
  const entra = createScriptedEntra(behaviour)
  const refreshes: ExchangeEvent[] = []
  const source = startSingle(createAttempt(entra.source), { ...CACHE_OPTIONS, ...options })
  const cache = new TokenCache(source, {
    ...CACHE_OPTIONS,
    onExchange: (event) => {
      if (event.cachedTtlMs > 0) refreshes.push(event)
    },
    ...options,
  })
  return { entra, cache, get: cache.createGet(Infinity), refreshes }
}

export const MAX_WAITING = 384
/** How many exchanges of an identity may run at the same time. */
export const MAX_OF_IDENTITY = 24
export const TIMEOUT_MS = 8000

/** The parts that the caches of a process share. */
export function createProcess() {
  return {
    budget: createRetryBudget(systemClock),
    failures: new IdentityFailures(systemClock),
    limit: createExchangeLimit(TIMEOUT_MS, MAX_WAITING),
  }
}

/** Creates the same cache with the limits of a sidecar. */
export function setUpLimited({
  maxEntries = 100,
  random = () => 0.5,
  shared = createProcess(),
}: {
  maxEntries?: number
  random?: () => number
  shared?: ReturnType<typeof createProcess>
} = {}) {
  const entra = createScriptedEntra()
  const exchanges: ExchangeEvent[] = []
  const options = { timeoutMs: TIMEOUT_MS, clock: systemClock, random }
  const attempt = createAttempt(entra.source, shared)
  const cache = new TokenCache(startWith(attempt, { ...options, budget: shared.budget }), {
    ...CACHE_OPTIONS,
    ...options,
    maxEntries,
    onExchange: (event) => exchanges.push(event),
  })
  return { entra, cache, get: cache.createGet(MAX_WAITING), exchanges }
}
