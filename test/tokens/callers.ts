/** Callers of a token source, and what each of them got after how long. */
import { vi } from 'vitest'
import { BrokerError } from '../../src/errors.ts'
import type { AccessToken, TokenRequest } from '../../src/tokens/token.ts'

/** Any part of the broker. */
type Tokens = (request: TokenRequest) => Promise<AccessToken>

export interface Heard {
  /** The token's text, or the code of the refusal. */
  readonly said: string
  readonly ok: boolean
  readonly tookMs: number
  readonly retryAfterMs: number | undefined
}

/** Asks once. Settles with what was heard, a refusal too. */
export async function ask(tokens: Tokens, request: TokenRequest): Promise<Heard> {
  const start = performance.now()
  const since = () => performance.now() - start
  try {
    const token = await tokens(request)
    return { said: token.secret.reveal(), ok: true, tookMs: since(), retryAfterMs: undefined }
  } catch (error) {
    if (!(error instanceof BrokerError)) throw error
    return { said: error.code, ok: false, tookMs: since(), retryAfterMs: error.retryAfterMs }
  }
}

/** Asks every `everyMs` of moved time for `forMs`, without waiting for answers in between. */
export async function askFor(
  tokens: Tokens,
  request: TokenRequest,
  { forMs, everyMs }: { forMs: number; everyMs: number },
): Promise<readonly Heard[]> {
  const answers: Promise<Heard>[] = []
  for (let passed = 0; passed < forMs; passed += everyMs) {
    answers.push(ask(tokens, request))
    await vi.advanceTimersByTimeAsync(everyMs)
  }
  return Promise.all(answers)
}

export const slowest = (heard: readonly Heard[]): number =>
  Math.max(...heard.map(({ tookMs }) => tookMs))

/** Distinct tokens among the answers. */
export const tokensOf = (heard: readonly Heard[]): readonly string[] => [
  ...new Set(heard.filter(({ ok }) => ok).map(({ said }) => said)),
]
