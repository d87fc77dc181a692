/**
 * Assembles the steps of an exchange with Entra ID: its attempts, and the POST of each attempt. All exchanges of a process
 * share MSAL, the connections, the limit of POSTs, the budget of retries, and the failures of identities.
 */
import type { ProcessConfig } from './config/config.ts'
import type { Connect } from '../lib/connect.ts'
import type { ExchangeOptions } from './exchange/entra.ts'
import { Exchange, type StartExchange } from './tokens/attempts.ts'
import { countWaiting } from './tokens/caller-wait.ts'
import { createExchangeLimit, withPermit } from './tokens/exchange-limit.ts'
import { systemClock } from './tokens/lifetime.ts'
import { IdentityFailures } from './tokens/identity-failures.ts'
import { createRetryBudget } from './tokens/retries.ts'
import type { Attempt } from './tokens/token.ts'
import { setMemoryFlags } from './v8-memory-flags.ts'

interface SourceOptions extends Required<
  Pick<ExchangeOptions, 'readAssertion' | 'region' | 'onSkew' | 'onAttempt'>
> {
  /** How long a caller waits, in milliseconds. */
  readonly timeoutMs: number
}

/** Creates the exchanges of a token cache. If loading MSAL or the transport fails, so does every exchange. */
export type CreateSource = (options: SourceOptions) => StartExchange

/** Loading MSAL blocks the event loop. This delay lets the ports open and answer the first probe before. */
const PRELOAD_DELAY_MS = 50

/**
 * Creates the parts that all exchanges of a process share. `connect` opens their connections. MSAL and the transport are loaded
 * `PRELOAD_DELAY_MS` after the first source is created, or earlier by the first exchange.
 */
export function createExchangeStack(
  { exchange, maxConnections }: Pick<ProcessConfig, 'exchange' | 'maxConnections'>,
  connect?: Connect,
): CreateSource {
  const clock = systemClock
  const budget = createRetryBudget(clock)
  const limit = createExchangeLimit(exchange.timeoutMs, countWaiting(maxConnections))
  const failures = new IdentityFailures(clock)
  let loaded: ReturnType<typeof loadExchange> | undefined

  return ({ timeoutMs, ...options }) => {
    let attempt: Promise<Attempt> | undefined
    const load = async () => {
      loaded ??= loadExchange(exchange, connect)
      const { dispatchers, createEntraExchange } = await loaded
      const exchangeOnce = createEntraExchange({ ...options, clock, ...dispatchers })
      return withPermit(exchangeOnce, limit, failures)
    }
    const loadOnce = () => (attempt ??= load())
    // If loading fails, each exchange reports it.
    setTimeout(() => void loadOnce().catch(() => {}), PRELOAD_DELAY_MS).unref()
    const attemptOnce: Attempt = async (...given) => (await loadOnce())(...given)
    return (request) => new Exchange(attemptOnce, request, { clock, timeoutMs, budget })
  }
}

async function loadExchange(exchange: ProcessConfig['exchange'], connect?: Connect) {
  setMemoryFlags()
  const { createExchangeDispatchers } = await import('./exchange/dispatcher.ts')
  const dispatchers = createExchangeDispatchers(exchange, connect)
  // Loads in two steps, so that other requests are answered in between.
  await new Promise(setImmediate)
  const { createEntraExchange } = await import('./exchange/entra.ts')
  return { dispatchers, createEntraExchange }
}
