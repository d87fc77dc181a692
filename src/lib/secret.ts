/** Keeps credentials out of logs, error messages and JSON. `scrub.ts` does it for foreign text. */
import { inspect } from 'node:util'

/** Printed instead of a credential. */
export const REDACTED = '[redacted]'
/** A shorter piece of a credential is useless to an attacker, and may occur by chance. */
const MIN_PIECE = 16
const LONG_WORD = /\S{16,}/g

/**
 * Wraps a token, an assertion or a shared secret. Every implicit conversion returns `[redacted]`. Only
 * `reveal()` returns the value: it is called where the value is sent to its one receiver.
 */
export class Secret {
  readonly #value: string

  constructor(value: string) {
    this.#value = value
  }

  /** Returns the value. Never store, log or interpolate it. */
  reveal(): string {
    return this.#value
  }

  /** Returns whether both hold the same value. Not constant-time: do not compare what a caller sends. */
  equals(other: Secret): boolean {
    return this.#value === other.#value
  }

  /**
   * Returns the text with every piece of the value, 16 characters or longer, redacted. For the response
   * of a server that the value was sent to: `scrub` would not recognise a short piece.
   * Takes linear time.
   */
  redactIn(text: string): string {
    const pieces = new Set<string>()
    for (let at = 0; at + MIN_PIECE <= this.#value.length; at += 1) {
      pieces.add(this.#value.slice(at, at + MIN_PIECE))
    }
    return text.replace(LONG_WORD, (word) => {
      let redacted = ''
      for (let at = 0; at < word.length;) {
        let end = at
        while (pieces.has(word.slice(end, end + MIN_PIECE))) end += 1
        redacted += end === at ? word.charAt(at) : REDACTED
        at = end === at ? at + 1 : end + MIN_PIECE - 1
      }
      return redacted
    })
  }

  toString(): string {
    return REDACTED
  }

  toJSON(): string {
    return REDACTED
  }

  [inspect.custom](): string {
    return REDACTED
  }
}
