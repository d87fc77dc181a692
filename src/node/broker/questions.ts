/** Questions to the other side of the channel, each with one answer: of the agent to a broker, and of a broker to the agent. */
import { parseJson } from '../../lib/json.ts'
import type { Answer } from './messages.ts'

export const MAX_ANSWER_CHARS = 4 * 1024 * 1024
/** Lists, objects and their elements: the smallest take twenty times the memory of their text, a row of a page more. */
const MAX_ANSWER_VALUES = 256 * 1024
/** The agent takes no longer messages than 256 KiB; JSON may write a character in six bytes. */
const MAX_PART_CHARS = 32 * 1024

interface Asked {
  text: string
  values: number
  readonly resolve: (answer: unknown) => void
}

export class Questions<Question> {
  readonly #send: (message: { type: 'ask'; id: number; question: Question }) => void
  readonly #asked = new Map<number, Asked>()
  #lastId = 0

  constructor(send: (message: { type: 'ask'; id: number; question: Question }) => void) {
    this.#send = send
  }

  /** Returns the answer, which can be anything; undefined if it is too long, or none comes before the signal aborts. */
  async ask(question: Question, signal?: AbortSignal): Promise<unknown> {
    const id = (this.#lastId += 1)
    const { promise, resolve } = Promise.withResolvers<unknown>()
    const giveUp = () => resolve(undefined)
    this.#asked.set(id, { text: '', values: 0, resolve })
    signal?.addEventListener('abort', giveUp)
    this.#send({ type: 'ask', id, question })
    const answer = await promise
    signal?.removeEventListener('abort', giveUp)
    this.#asked.delete(id)
    return answer
  }

  /** Takes a part of an answer. */
  onAnswer({ id, text, isLast }: Answer): void {
    const asked = this.#asked.get(id)
    if (asked === undefined) return
    asked.text += text
    asked.values += text.match(/[,[{]/g)?.length ?? 0
    const isTooLong = asked.text.length > MAX_ANSWER_CHARS || asked.values > MAX_ANSWER_VALUES
    if (isTooLong) asked.resolve(undefined)
    else if (isLast) asked.resolve(parseJson(asked.text))
  }

  /** Ends all questions without an answer. */
  close(): void {
    for (const { resolve } of this.#asked.values()) resolve(undefined)
  }
}

/** Returns the messages of an answer. */
export function* splitAnswer(id: number, answer: object): Generator<Answer> {
  const text = JSON.stringify(answer)
  for (let from = 0; from < text.length; from += MAX_PART_CHARS) {
    const end = from + MAX_PART_CHARS
    yield { type: 'answer', id, text: text.slice(from, end), isLast: end >= text.length }
  }
}
