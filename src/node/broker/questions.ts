/** Questions to the other side of the channel, each with one answer: of the agent to a broker, and of a broker to the agent. */
import type { Answer } from './messages.ts'

export class Questions<Question> {
  readonly #send: (message: { type: 'ask'; id: number; question: Question }) => void
  readonly #asked = new Map<number, (answer: unknown) => void>()
  #lastId = 0

  constructor(send: (message: { type: 'ask'; id: number; question: Question }) => void) {
    this.#send = send
  }

  /** Returns the answer, which can be anything; undefined if none has come when the signal aborts. */
  ask(question: Question, signal?: AbortSignal): Promise<unknown> {
    const id = (this.#lastId += 1)
    return new Promise((resolve) => {
      this.#asked.set(id, resolve)
      signal?.addEventListener('abort', () => this.onAnswer({ id }), { once: true })
      this.#send({ type: 'ask', id, question })
    })
  }

  /** Takes an answer. Ignores one that nothing waits for any more. */
  onAnswer({ id, answer }: Omit<Answer, 'type'>): void {
    this.#asked.get(id)?.(answer)
    this.#asked.delete(id)
  }
}
