/** Keeps credentials out of logs, error messages and JSON: a wrapper, and scrubbers for foreign text. */
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

  /** Length in UTF-16 code units. */
  get length(): number {
    return this.#value.length
  }

  /** Returns whether both hold the same value. Its duration depends on them: not for what a caller sends. */
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

  [Symbol.toPrimitive](): string {
    return REDACTED
  }

  [inspect.custom](): string {
    return REDACTED
  }
}

/**
 * Matches a JWT, with the rest of a truncated part before it; a run of characters that is longer than most
 * names and a GUID; and the middle of a truncated JWT, which is two shorter runs around a dot. The prefix
 * is bounded, so that long texts of other servers take linear time.
 */
const CREDENTIAL_LIKE =
  /(?:[\w+-]{1,100}\.)?eyJ[\w.+/=-]{8,}|(?:[\w+=-]{48,}|[\w+=-]{20,}\.[\w+=-]{20,})[\w.+=-]*/g

/**
 * Matches the name of a Kubernetes object: words in lower case, 20 characters at most each, not all of them
 * hexadecimal. A random token of that length has a letter in upper case or an underscore.
 */
const NAME = /^(?![\da-f.-]+$)[a-z\d]{1,20}(?:[.-]+[a-z\d]{1,20})*[.-]*$/

/** `//user:password@` */
const PASSWORD_IN_URL = /\/\/[^\s/@:]*:[^\s/@]*@/g

/**
 * Redacts everything in a foreign text that may be a token, and the passwords of URLs. A server may echo
 * the assertion, and its text is put into logs and errors. The result is well-formed UTF-16, because
 * strict JSON parsers reject half of a surrogate pair.
 */
export function scrub(text: string): string {
  const scrubbed = text.replace(CREDENTIAL_LIKE, (run) => (NAME.test(run) ? run : REDACTED))
  return scrubbed.replace(PASSWORD_IN_URL, `//${REDACTED}@`).toWellFormed()
}

/** More than is ever printed; bounds the time of `scrub`. */
const MAX_SCRUBBED = 16_384

/** The first half of a surrogate pair that was cut in two. */
const HALF_PAIR = /[\ud800-\udbff]$/

/**
 * Returns the first `length` characters of the scrubbed text. Scrubs before it truncates, because a
 * truncated credential may no longer look like one.
 */
export function scrubAndTruncate(text: string, length: number): string {
  let end = Math.min(text.length, MAX_SCRUBBED)
  // A word that the cut goes through is dropped.
  if (end < text.length) while (end > 0 && /[\w.+/=-]/.test(text.charAt(end - 1))) end -= 1
  return scrub(text.slice(0, end)).slice(0, length).replace(HALF_PAIR, '')
}

/** Matches `user:password@` of a URL with or without scheme; the password may contain any character. */
const USER_INFO = /^([a-z][a-z0-9+.-]*:\/\/)?.*@/is

/** Returns the value of a setting without user, password, or anything that may be a token. */
export function scrubSetting(value: string): string {
  return scrub(value.replace(USER_INFO, `$1${REDACTED}@`))
}
