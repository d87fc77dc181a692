/** Reads the files of pods, which the broker cannot open, by asking the node agent. */
import { createSystemError } from '../../lib/files.ts'
import type { AgentMessage, BrokerMessage } from './messages.ts'

type Answer = Extract<AgentMessage, { type: 'file' }>

export class RemoteFiles {
  readonly #send: (message: BrokerMessage) => void
  readonly #waiting = new Map<number, (answer: Answer) => void>()
  #lastId = 0

  constructor(send: (message: BrokerMessage) => void) {
    this.#send = send
  }

  /** Reads a file by its path in the pod's gate. Throws the system error that the agent got. */
  async read(uid: string, path: string): Promise<string> {
    this.#lastId += 1
    const id = this.#lastId
    const { text, code = 'EIO' } = await new Promise<Answer>((resolve) => {
      this.#waiting.set(id, resolve)
      this.#send({ type: 'read', id, uid, path })
    })
    if (text === undefined) throw createSystemError(code, `the node agent got ${code}`, path)
    return text
  }

  onAnswer(answer: Answer): void {
    this.#waiting.get(answer.id)?.(answer)
    this.#waiting.delete(answer.id)
  }
}
