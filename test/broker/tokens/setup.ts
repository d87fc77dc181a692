/** Fake time and a token cache in front of a scripted Entra ID. */
import { afterEach, beforeEach, vi } from 'vitest'
import { systemClock } from '../../../src/broker/tokens/clock.ts'
import { retryExchanges } from '../../../src/broker/tokens/attempts.ts'
import { createExchangeLimit } from '../../../src/broker/tokens/exchange-limit.ts'
import type { ExchangeEvent, RefreshEvent } from '../../../src/broker/tokens/exchanges.ts'
import { shareIdentityFailures } from '../../../src/broker/tokens/identity-failures.ts'
import { TokenCache, type TokenCacheOptions } from '../../../src/broker/tokens/token-cache.ts'
import { type Behaviour, createScriptedEntra } from './scripted-entra.ts'

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

/** Sets the wall clock alone, as an operator does, and as it is after the machine has slept. */
export const jump = (ms: number) => vi.setSystemTime(Date.now() + ms)

export const range = (count: number) => Array.from({ length: count }, (_, index) => index)

/** Options of a cache that reports nothing. */
export const CACHE_OPTIONS: TokenCacheOptions = {
  maxEntries: 100,
  timeoutMs: MINUTE_MS,
  limit: (work) => work(),
  clock: systemClock,
  random: () => 0.5,
  onResult: () => {},
  onExchange: () => {},
  onRefresh: () => {},
}

interface SetUpOptions extends Partial<TokenCacheOptions> {
  readonly behaviour?: Behaviour
}

/** A cache directly on a scripted Entra ID. */
export function setUp({ behaviour = {}, ...options }: SetUpOptions = {}) {
  const entra = createScriptedEntra(behaviour)
  const refreshes: RefreshEvent[] = []
  const cache = new TokenCache(shareIdentityFailures(entra.source, systemClock), {
    ...CACHE_OPTIONS,
    onRefresh: (event) => refreshes.push(event),
    ...options,
  })
  return { entra, cache, get: cache.createGet(Infinity), refreshes }
}

export const MAX_WAITING = 384
export const MAX_CONCURRENT = 32
export const TIMEOUT_MS = 8000

/** The same with the limits of a sidecar. */
export function setUpLimited({
  maxEntries = 100,
  random = () => 0.5,
}: { maxEntries?: number; random?: () => number } = {}) {
  const entra = createScriptedEntra()
  const exchanges: ExchangeEvent[] = []
  const shared = shareIdentityFailures(entra.source, systemClock)
  const options = { timeoutMs: TIMEOUT_MS, clock: systemClock, random }
  const limit = { maxConcurrent: MAX_CONCURRENT, maxQueued: MAX_WAITING, timeoutMs: TIMEOUT_MS }
  const cache = new TokenCache(retryExchanges(shared, options), {
    ...CACHE_OPTIONS,
    ...options,
    maxEntries,
    limit: createExchangeLimit(limit),
    onExchange: (event) => exchanges.push(event),
  })
  return { entra, cache, get: cache.createGet(MAX_WAITING), exchanges }
}
