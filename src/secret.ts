/** A credential that no log line, error message or JSON document can show by accident. */
import { createHash } from 'node:crypto'
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

  /** Lower-case hex SHA-256 of the value, to recognise it without holding it. */
  sha256(): string {
    return createHash('sha256').update(this.#value).digest('hex')
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

/**
 * Any JWT, with the end of a part that was cut off in front of it; any unbroken run long enough to be a
 * credential rather than a name or a GUID; and the middle of a JWT that was cut off, which two shorter
 * runs and a dot are. Bounded in front: texts come from other servers and may be long.
 */
const CREDENTIAL_LIKE =
  /(?:[\w+-]{1,100}\.)?eyJ[\w.+/=-]{8,}|(?:[\w+=-]{48,}|[\w+=-]{20,}\.[\w+=-]{20,})[\w.+=-]*/g

/**
 * Text that came from elsewhere, without anything in it that could be a token. A server that
 * answers an exchange may echo the assertion, and what it says ends up in logs and errors.
 */
export function scrub(text: string): string {
  return text.replace(CREDENTIAL_LIKE, REDACTED)
}
