/** What all exchanges of a process share: MSAL, the connections to Entra ID, and a limit. */
import type { Config } from '../config/config.ts'
import type { ExchangeDispatchers } from '../exchange/dispatcher.ts'
import type { ExchangeOptions } from '../exchange/entra.ts'
import type { Semaphore } from '../../lib/semaphore.ts'
import type { TokenSource } from '../tokens/token.ts'
import { setMemoryFlags } from './v8-settings.ts'

export interface ExchangeStack {
  /** Creates a source that exchanges over the shared connections. The first call loads MSAL and the transport. */
  readonly createSource: (
    options: Omit<ExchangeOptions, keyof ExchangeDispatchers>,
  ) => Promise<TokenSource>
  /** Limits the exchanges of all token caches together. A single cache has its own limit. */
  readonly limit: Semaphore
}

/** Creates the stack. Nothing is loaded or connected yet. */
export function createExchangeStack(
  exchange: Pick<Config['exchange'], 'proxy' | 'tokenProxy' | 'extraCa'>,
  limit: Semaphore = (work) => work(),
): ExchangeStack {
  const load = async () => {
    setMemoryFlags()
    const { createExchangeDispatchers } = await import('../exchange/dispatcher.ts')
    const dispatchers = createExchangeDispatchers(exchange)
    // In two steps, so that other requests are answered in between.
    await new Promise(setImmediate)
    const { createEntraExchange } = await import('../exchange/entra.ts')
    return { dispatchers, createEntraExchange }
  }
  let loaded: ReturnType<typeof load> | undefined
  return {
    createSource: async (options) => {
      loaded ??= load()
      const { dispatchers, createEntraExchange } = await loaded
      return createEntraExchange({ ...options, ...dispatchers })
    },
    limit,
  }
}
