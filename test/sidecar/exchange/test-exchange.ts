/** The exchange with Entra ID, without a time limit unless a test gives one. */
import { createEntraExchange, type ExchangeOptions } from '../../../src/sidecar/exchange/entra.ts'
import type { AccessToken, TokenRequest } from '../../../src/sidecar/tokens/token.ts'

export type TestExchange = (request: TokenRequest, signal?: AbortSignal) => Promise<AccessToken>

export function createTestExchange(options: ExchangeOptions): TestExchange {
  const source = createEntraExchange(options)
  return (request, signal = new AbortController().signal) => source(request, signal)
}
