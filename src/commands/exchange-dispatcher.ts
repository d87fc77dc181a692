/** By which connections exchanges go: apart from the broker, which commands that ask once do without. */
import type { Dispatcher } from 'undici'
import type { Config } from '../config/config.ts'

/** The connections by which exchanges go: to the cluster's token proxy, or to Entra ID. */
export async function exchangeDispatcher(
  { exchange }: Pick<Config, 'exchange'>,
  extraCa: string | undefined,
): Promise<Dispatcher> {
  const { proxy, tokenProxy } = exchange
  if (tokenProxy !== undefined) {
    const { tokenProxyDispatcher } = await import('../exchange/token-proxy.ts')
    return tokenProxyDispatcher({ settings: tokenProxy })
  }
  const { entraDispatcher } = await import('../exchange/dispatcher.ts')
  return entraDispatcher({
    ...(extraCa !== undefined && { extraCa }),
    ...(proxy !== undefined && { proxy }),
  })
}
