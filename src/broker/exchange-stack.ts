/**
 * The way of an exchange to Entra ID: its attempts, the failures that the exchanges of an identity share, and the POST. All
 * exchanges of a process share MSAL, the connections, and a limit.
 */
import type { Config } from './config/config.ts'
import type { ExchangeDispatchers } from './exchange/dispatcher.ts'
import type { ExchangeOptions } from './exchange/entra.ts'
import type { Semaphore } from '../lib/semaphore.ts'
import { retryExchanges } from './tokens/attempts.ts'
import { shareIdentityFailures } from './tokens/identity-failures.ts'
import type { TokenSource } from './tokens/token.ts'
import { setMemoryFlags } from './v8-settings.ts'

interface SourceOptions extends Omit<ExchangeOptions, keyof ExchangeDispatchers | 'around'> {
  /** How long a caller waits, in milliseconds. */
  readonly timeoutMs: number
}

export interface ExchangeStack {
  /** Creates the source of a token cache. If loading MSAL or the transport fails, so does every request. */
  readonly createSource: (options: SourceOptions) => TokenSource
  /** Limits the exchanges of all token caches together; undefined: there is one cache, which has its own limit. */
  readonly limit?: Semaphore | undefined
}

/** Loading blocks the event loop: the ports and the first probe go first. */
const PRELOAD_DELAY_MS = 50

/** Creates the stack. It is loaded by the first exchange, or soon after the first source is created. */
export function createExchangeStack(
  exchange: Pick<Config['exchange'], 'proxy' | 'tokenProxy' | 'extraCa'>,
  limit?: Semaphore,
): ExchangeStack {
  let loaded: ReturnType<typeof loadExchange> | undefined

  function createSource(options: SourceOptions): TokenSource {
    let source: Promise<TokenSource> | undefined
    const load = async () => {
      loaded ??= loadExchange(exchange)
      const { dispatchers, createEntraExchange } = await loaded
      // Within the attempts, so that the other resources of an identity know of a Retry-After that one exchange waits for.
      const around = (each: TokenSource) => shareIdentityFailures(each, options.clock)
      return retryExchanges(createEntraExchange({ ...options, ...dispatchers, around }), options)
    }
    const loadOnce = () => (source ??= load())
    // The requests that need the source report a failure.
    setTimeout(() => void loadOnce().catch(() => {}), PRELOAD_DELAY_MS).unref()
    return async (request, signal) => (await loadOnce())(request, signal)
  }

  return { createSource, limit }
}

async function loadExchange(exchange: Parameters<typeof createExchangeStack>[0]) {
  setMemoryFlags()
  const { createExchangeDispatchers } = await import('./exchange/dispatcher.ts')
  const dispatchers = createExchangeDispatchers(exchange)
  // In two steps, so that other requests are answered in between.
  await new Promise(setImmediate)
  const { createEntraExchange } = await import('./exchange/entra.ts')
  return { dispatchers, createEntraExchange }
}
