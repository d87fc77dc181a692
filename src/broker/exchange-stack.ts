/**
 * The way of an exchange to Entra ID: the attempts, and in each of them the POST. All exchanges of a process share MSAL, the
 * connections, the limit of POSTs, the budget of extra attempts, and the throttled identities.
 */
import type { ProcessConfig } from './config/config.ts'
import type { ExchangeOptions } from './exchange/entra.ts'
import { poolAttempts } from './tokens/attempts.ts'
import { systemClock } from './tokens/clock.ts'
import { createAttemptBudget, countWaiting, createExchangeLimit } from './tokens/exchange-limit.ts'
import { createThrottles, IdentityFailures } from './tokens/identity-failures.ts'
import type { TokenSource } from './tokens/token.ts'
import { setMemoryFlags } from './v8-settings.ts'

interface SourceOptions extends Pick<
  ExchangeOptions,
  'readAssertion' | 'region' | 'onSkew' | 'onAttempt'
> {
  /** How long a caller waits, in milliseconds. */
  readonly timeoutMs: number
}

/** Creates the source of a token cache. If loading MSAL or the transport fails, so does every request. */
export type CreateSource = (options: SourceOptions) => TokenSource

/** Loading blocks the event loop: the ports and the first probe go first. */
const PRELOAD_DELAY_MS = 50

/** Creates what all exchanges of a process share. It is loaded by the first exchange, or soon after the first source is created. */
export function createExchangeStack({
  exchange,
  maxConnections,
}: Pick<ProcessConfig, 'exchange' | 'maxConnections'>): CreateSource {
  const limit = createExchangeLimit({ ...exchange, maxQueued: countWaiting(maxConnections) })
  const clock = systemClock
  const budget = createAttemptBudget(clock)
  const throttles = createThrottles()
  let loaded: ReturnType<typeof loadExchange> | undefined

  return ({ timeoutMs, ...options }) => {
    const parts = { ...options, clock, limit, failures: new IdentityFailures(clock, throttles) }
    let source: Promise<TokenSource> | undefined
    const load = async () => {
      loaded ??= loadExchange(exchange)
      const { dispatchers, createEntraExchange } = await loaded
      const attempt = createEntraExchange({ ...parts, ...dispatchers })
      return poolAttempts(attempt, { clock, timeoutMs, budget })
    }
    const loadOnce = () => (source ??= load())
    // The requests that need the source report a failure.
    setTimeout(() => void loadOnce().catch(() => {}), PRELOAD_DELAY_MS).unref()
    return async (...request) => (await loadOnce())(...request)
  }
}

async function loadExchange(exchange: ProcessConfig['exchange']) {
  setMemoryFlags()
  const { createExchangeDispatchers } = await import('./exchange/dispatcher.ts')
  const dispatchers = createExchangeDispatchers(exchange)
  // In two steps, so that other requests are answered in between.
  await new Promise(setImmediate)
  const { createEntraExchange } = await import('./exchange/entra.ts')
  return { dispatchers, createEntraExchange }
}
