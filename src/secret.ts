/** A credential that no log line, error message or JSON document can show by accident. */
import { createHash } from 'node:crypto'
import { inspect } from 'node:util'

/** What is shown in place of a credential. */
export const REDACTED = '[redacted]'
/** A piece of a credential that is shorter is of no use, and may be there by chance. */
const PIECE = 16
const LONG_WORD = /\S{16,}/g

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

  /**
   * The text without any piece of the value, 16 characters or longer: for what comes back from where
   * the value was sent. A piece that short and cut anywhere is nothing that `scrub` could tell by its
   * looks.
   */
  redactIn(text: string): string {
    return text.replace(LONG_WORD, (word) => {
      let kept = ''
      for (let at = 0; at < word.length;) {
        let end = at
        while (this.#holds(word.slice(end, end + PIECE))) end += 1
        kept += end === at ? word.charAt(at) : REDACTED
        at = end === at ? at + 1 : end + PIECE - 1
      }
      return kept
    })
  }

  #holds(piece: string): boolean {
    return piece.length === PIECE && this.#value.includes(piece)
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

/** `//user:password@` */
const PASSWORD_IN_URL = /\/\/[^\s/@:]*:[^\s/@]*@/g

/**
 * Text that came from elsewhere, without anything in it that could be a token, and without the
 * passwords of URLs. A server that answers an exchange may echo the assertion, and what it says ends
 * up in logs and errors. Well-formed: strict readers of JSON refuse half of a surrogate pair.
 */
export function scrub(text: string): string {
  const scrubbed = text.replace(CREDENTIAL_LIKE, REDACTED)
  return scrubbed.replace(PASSWORD_IN_URL, `//${REDACTED}@`).toWellFormed()
}

/** Much more than is ever shown, and too little to take long. */
const MAX_SCRUBBED = 16_384

/** What a cut leaves of a surrogate pair. */
const HALF_AT_END = /[\ud800-\udbff]$/

/**
 * The first `length` characters of a foreign text after it has been scrubbed. What may be a credential
 * is hidden before the text is cut, since what a cut leaves of one is not told by its looks.
 */
export function scrubAndTruncate(text: string, length: number): string {
  let end = Math.min(text.length, MAX_SCRUBBED)
  // A cut through a word leaves nothing of it.
  if (end < text.length) while (end > 0 && /[\w.+/=-]/.test(text.charAt(end - 1))) end -= 1
  return scrub(text.slice(0, end)).slice(0, length).replace(HALF_AT_END, '')
}

/** `user:password@` of a URL, of which the scheme may be left out; a password may hold any character. */
const USER_INFO = /^([a-z][a-z0-9+.-]*:\/\/)?.*@/is

/** A setting as people may see it: without a user, a password, or anything that could be a token. */
export function scrubSetting(value: string): string {
  return scrub(value.replace(USER_INFO, `$1${REDACTED}@`))
}
