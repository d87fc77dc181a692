/** The exchange with Entra ID, with real files, and without a time limit unless a test gives one. */
import { createAssertionReader } from '../../../src/broker/exchange/assertion.ts'
import { createEntraExchange, type ExchangeOptions } from '../../../src/broker/exchange/entra.ts'
import type { AccessToken, TokenRequest } from '../../../src/broker/tokens/token.ts'

export type TestExchange = (request: TokenRequest, signal?: AbortSignal) => Promise<AccessToken>

type Options = Omit<ExchangeOptions, 'readAssertion'> & Partial<ExchangeOptions>

export function createTestExchange(options: Options): TestExchange {
  const source = createEntraExchange({ readAssertion: createAssertionReader(), ...options })
  return (request, signal = new AbortController().signal) => source(request, signal, () => {})
}
