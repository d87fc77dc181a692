/**
 * Keeps credentials out of logs, error messages and JSON. `Secret` holds a credential of wimds; `scrub` redacts credentials in
 * foreign text.
 */
import { inspect } from 'node:util'

/** Printed instead of a credential. */
export const REDACTED = '[redacted]'
/** A shorter piece of a credential is useless to an attacker, and may occur by chance. */
const MIN_PIECE = 16
const LONG_WORD = /\S{16,}/g

/**
 * Wraps a token, an assertion or a shared secret. Every implicit conversion returns `[redacted]`. Only `reveal()` returns the
 * value. Call it only to send the value to its receiver.
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

  /** Returns true if both have the same value. Not constant-time: never use it for a value that a caller sends. */
  equals(other: Secret): boolean {
    return this.#value === other.#value
  }

  /**
   * Returns the text with every piece of the value redacted that has 16 characters or more. Use it for the response of a server
   * that got the value: `scrub` does not recognize a short piece. Takes linear time.
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

/** Matches a JWT, and before it the end of a truncated part. The length of that end is bounded, for linear time. */
const JWT = /(?:[\w+-]{1,100}\.)?eyJ[\w.+/=-]{8,}/g

/**
 * Matches a run of characters as long as an opaque token, or two shorter runs around a dot, as in the middle of a truncated
 * JWT. A match begins only where a run begins, for linear time.
 */
const LONG_RUN = /(?<![\w+=-])(?:[\w+=-]{48,}|[\w+=-]{20,}\.[\w+=-]{20,})[\w.+=-]*/g

/**
 * Matches a word of a name: in lower case, up to 20 capitals, or `CamelCase` in which two or more small letters follow each
 * capital or row of capitals but the last. One in 100 000 random tokens of 48 characters in Base64 consists only of such words.
 */
const WORD = /^(?:[a-z\d]*|[A-Z\d]{1,20}|[a-z]*(?:[A-Z]+[a-z]{2,}\d*)+(?:[A-Z]+\d*)?)$/

/** Returns true unless all words of the run are words of names: a random token mixes cases and digits. */
function isOpaque(run: string): boolean {
  return !run.split(/[-_.=]+/).every((word) => WORD.test(word))
}

/** Matches characters that control a terminal or the direction of text, such as U+202E, except line breaks and tabs. */
const CONTROLS = /(?![\t\n\r])[\p{Cc}\p{Cf}]/gu

/** Matches `//user:password@`. */
const PASSWORD_IN_URL = /\/\/[^\s/@:]*:[^\s/@]*@/g

/**
 * Redacts everything in a foreign text that looks like a token, and the passwords of URLs. Names of any length, GUIDs, resource
 * ids and digests in lower case do not look like a token. Call it for every text of a server that gets into logs and errors,
 * because a server may echo the assertion. Also replaces control characters. Returns well-formed UTF-16: strict JSON parsers
 * reject half of a surrogate pair.
 */
export function scrub(text: string): string {
  let scrubbed = text.replace(LONG_RUN, (run) => (isOpaque(run) ? REDACTED : run))
  // The optional part before `eyJ` takes most of the time.
  if (scrubbed.includes('eyJ')) scrubbed = scrubbed.replace(JWT, REDACTED)
  return scrubbed.replace(PASSWORD_IN_URL, `//${REDACTED}@`).replace(CONTROLS, '?').toWellFormed()
}

/** The maximum length of a text that is scrubbed, to bound the time. No printed text is that long. */
const MAX_SCRUBBED = 16_384

/** The first half of a surrogate pair that was cut in two. */
const HALF_PAIR = /[\ud800-\udbff]$/

/**
 * Returns the first `length` characters of the scrubbed text. Scrubs before it truncates, because a
 * truncated credential may no longer look like one.
 */
export function scrubAndTruncate(text: string, length: number): string {
  let end = Math.min(text.length, MAX_SCRUBBED)
  // Drops the word at the cut: the rest of it may no longer look like a token.
  if (end < text.length) while (end > 0 && /[\w.+/=-]/.test(text.charAt(end - 1))) end -= 1
  return scrub(text.slice(0, end)).slice(0, length).replace(HALF_PAIR, '')
}

/** Matches `user:password@` of a URL with or without scheme; the password may contain any character. */
const USER_INFO = /^([a-z][a-z0-9+.-]*:\/\/)?.*@/is

/** Returns the value of a setting without user, password, or anything that may be a token. */
export function scrubSetting(value: string): string {
  return scrub(value.replace(USER_INFO, `$1${REDACTED}@`))
}
