/** Callers of a token source, with what each got and how long it took. */
import { vi } from 'vitest'
import { BrokerError } from '../../../src/lib/errors.ts'
import type { CacheRequest, GetToken } from '../../../src/broker/tokens/token.ts'
import { VAULT } from './scripted-entra.ts'

export interface Answer {
  readonly ok: boolean
  /** The token's text, the error code, or `AbortError` for a caller that has hung up. */
  readonly text: string
  readonly tookMs: number
  readonly retryAfterMs: number | undefined
}

/** Asks once. Resolves with the answer, even if it is an error. */
export async function ask(
  get: GetToken,
  request: CacheRequest,
  signal?: AbortSignal,
): Promise<Answer> {
  const startedAt = performance.now()
  const elapsed = () => performance.now() - startedAt
  try {
    const token = await get(request, signal && (() => signal))
    return { text: token.secret.reveal(), ok: true, tookMs: elapsed(), retryAfterMs: undefined }
  } catch (error) {
    const answer = { ok: false, tookMs: elapsed() }
    if (error instanceof DOMException) {
      return { text: error.name, retryAfterMs: undefined, ...answer }
    }
    if (!(error instanceof BrokerError)) throw error
    return { text: error.code, retryAfterMs: error.retryAfterMs, ...answer }
  }
}

/** Asks for VAULT every `everyMs` of fake time for `forMs`, without waiting for answers in between. */
export async function askFor(
  get: GetToken,
  { forMs, everyMs }: { forMs: number; everyMs: number },
): Promise<readonly Answer[]> {
  const answers: Promise<Answer>[] = []
  for (let passed = 0; passed < forMs; passed += everyMs) {
    answers.push(ask(get, VAULT))
    await vi.advanceTimersByTimeAsync(everyMs)
  }
  return Promise.all(answers)
}

export const slowest = (answers: readonly Answer[]): number =>
  Math.max(...answers.map(({ tookMs }) => tookMs))

/** Returns the different texts of the answers. */
export const textsOf = (answers: readonly Answer[]): readonly string[] => [
  ...new Set(answers.map(({ text }) => text)),
]
