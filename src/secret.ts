/** A credential that no log line, error message or JSON document can show by accident. */
import { inspect } from 'node:util'

const REDACTED = '[redacted]'

/**
 * Wraps a token, an assertion or a shared secret. Every implicit conversion prints `[redacted]`;
 * only `reveal()` gives the value, and it is called where the value leaves for its one receiver.
 */
export class Secret {
  readonly #value: string

  constructor(value: string) {
    this.#value = value
  }

  /** The value itself. Never store, log or interpolate what this returns. */
  reveal(): string {
    return this.#value
  }

  /** Length in UTF-16 code units: safe to report, and enough to tell empty from not. */
  get length(): number {
    return this.#value.length
  }

  toString(): string {
    return REDACTED
  }

  toJSON(): string {
    return REDACTED
  }

  [Symbol.toPrimitive](): string {
    return REDACTED
  }

  [inspect.custom](): string {
    return REDACTED
  }
}
