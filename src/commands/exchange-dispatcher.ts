/** By which connections exchanges go: apart from the broker, which commands that ask once do without. */
import type { Dispatcher } from 'undici'
import type { Config } from '../config/config.ts'

/** The connections by which exchanges go: to the cluster's token proxy, or to Entra ID. */
export async function createExchangeDispatcher(
  { exchange }: Pick<Config, 'exchange'>,
  extraCa: string | undefined,
): Promise<Dispatcher> {
  const { proxy, tokenProxy } = exchange
  if (tokenProxy !== undefined) {
    const { createTokenProxyDispatcher } = await import('../exchange/token-proxy.ts')
    return createTokenProxyDispatcher({ settings: tokenProxy })
  }
  const { createEntraDispatcher } = await import('../exchange/dispatcher.ts')
  return createEntraDispatcher({
    ...(extraCa !== undefined && { extraCa }),
    ...(proxy !== undefined && { proxy }),
  })
}
