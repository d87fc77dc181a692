/** The exchange without server and cache, for commands that need one token and end. */
import { createAssertionReader } from '../broker/exchange/assertion.ts'
import { createExchangeDispatchers } from '../broker/exchange/dispatcher.ts'
import { createEntraExchange } from '../broker/exchange/entra.ts'
import { withDeadline } from '../lib/deadline.ts'
import { systemClock } from '../broker/tokens/lifetime.ts'
import type { TokenRequest } from '../broker/tokens/token.ts'
import type { Config } from '../broker/config/config.ts'

export type DirectExchange = ReturnType<typeof createDirectExchange>

/** Creates the exchange of `wimds serve` for this configuration. Use it with `await using`. */
export function createDirectExchange(config: Pick<Config, 'exchange'>) {
  const { audience, region, timeoutMs } = config.exchange
  const { dispatcher, tokenProxy } = createExchangeDispatchers(config.exchange)
  let skewMs: number | undefined
  const exchange = createEntraExchange({
    readAssertion: createAssertionReader({ audience }),
    dispatcher,
    tokenProxy,
    clock: systemClock,
    onSkew: (ms) => {
      skewMs = ms
    },
    region,
  })
  return {
    exchange: (request: TokenRequest) =>
      withDeadline(timeoutMs, (signal) => exchange(request, signal, () => {})),
    /** Returns by how many milliseconds the local clock is ahead of Entra ID's; undefined before a response. */
    skewMs: () => skewMs,
    [Symbol.asyncDispose]: async () => {
      await Promise.all([dispatcher.destroy(), tokenProxy?.dispatcher.destroy()])
    },
  }
}
