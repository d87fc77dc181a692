/** The broker's exchange alone, without servers and without a cache: for commands that ask once. */
import { createAssertionReader } from '../exchange/assertion.ts'
import { createEntraExchange } from '../exchange/entra.ts'
import { systemClock } from '../tokens/clock.ts'
import type { TokenSource } from '../tokens/token.ts'
import { createExchangeDispatcher } from './exchange-dispatcher.ts'
import type { Configured } from './configured.ts'

export interface DirectExchange extends AsyncDisposable {
  readonly exchange: TokenSource
  /** How far the local clock is ahead of Entra ID's, in milliseconds; undefined before an answer. */
  readonly skewMs: () => number | undefined
}

/** The way that `wimds serve` takes with this configuration. Use it with `await using`. */
export async function createDirectExchange({
  config,
  extraCa,
}: Pick<Configured, 'config' | 'extraCa'>): Promise<DirectExchange> {
  const { audience, region, timeoutMs } = config.exchange
  const dispatcher = await createExchangeDispatcher(config, extraCa)
  let skewMs: number | undefined
  return {
    exchange: createEntraExchange({
      readAssertion: createAssertionReader(audience === undefined ? {} : { audience }),
      dispatcher,
      clock: systemClock,
      timeoutMs,
      onSkew: (ms) => {
        skewMs = ms
      },
      ...(region !== undefined && { region }),
    }),
    skewMs: () => skewMs,
    [Symbol.asyncDispose]: () => dispatcher.destroy(),
  }
}
