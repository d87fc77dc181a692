/** The projected service-account token: read afresh at each exchange, and checked before it is sent. */
import { decodeJwt } from 'jose/jwt/decode'
import * as z from 'zod/mini'
import { BrokerError } from '../errors.ts'
import { Secret } from '../secret.ts'
import { MAX_TOKEN_BYTES, readTokenFile } from './token-file.ts'

/** A projected token and the claims that explain it. */
export interface Assertion {
  readonly secret: Secret
  readonly issuer: string
  readonly subject: string
  readonly audience: readonly string[]
  /** Epoch milliseconds. */
  readonly expiresAt: number
  /** Epoch milliseconds; undefined where the token does not say. */
  readonly issuedAt?: number
}

interface AssertionOptions {
  /** Default: from the file system, bounded. */
  readonly readFile?: (path: string) => Promise<string>
  /** Refuses an assertion without this audience; undefined: any is sent on. */
  readonly audience?: string
}

export type AssertionReader = (path: string) => Promise<Assertion>

/** The last second that a `Date` can hold, and the first one with its sign turned. */
const LAST_SECOND = 8_640_000_000_000
/** Epoch seconds that can be written as a date, as logs and the status do. */
const time = z.number().check(z.minimum(-LAST_SECOND), z.maximum(LAST_SECOND))

const Claims = z.object({
  iss: z.string(),
  sub: z.string(),
  aud: z.union([z.string(), z.array(z.string())]),
  exp: time,
  iat: z.optional(time),
})

const JWT = /^[\w-]+\.[\w-]+\.[\w-]+$/
/** Of all clouds; identity bindings have others. */
const USUAL_AUDIENCE = /^api:\/\/AzureADTokenExchange(?:\w*)$/

/**
 * Reads projected tokens, afresh each time, because the kubelet renews them by swapping a symbolic
 * link. Throws `assertion_missing`, `assertion_unreadable`, `assertion_empty`, `assertion_malformed` or
 * `assertion_audience`, each with what to do. Whether a token has expired is not judged here: the local
 * clock alone must not veto an exchange.
 */
export function createAssertionReader(options: AssertionOptions = {}): AssertionReader {
  const { readFile = readTokenFile, audience } = options
  return async (path) => {
    const text = (await read(path, readFile)).trim()
    if (text === '') {
      throw new BrokerError(
        'assertion_empty',
        `the projected token file ${path} is empty: wait for the kubelet to fill it, or check what else writes to it`,
      )
    }
    const assertion = parse(text, path)
    if (audience !== undefined && !assertion.audience.includes(audience)) {
      throw new BrokerError(
        'assertion_audience',
        `the projected token in ${path} has the audience ${assertion.audience.join(', ')}, and WIMDS_AUDIENCE expects ${audience}: change the audience of the projected volume`,
      )
    }
    return assertion
  }
}

/**
 * Whether Entra ID will most likely refuse the assertion for its audience. Worth a warning only: what
 * counts is the federated identity credential, and clouds and identity bindings differ.
 */
export function hasUnexpectedAudience({ audience }: Pick<Assertion, 'audience'>): boolean {
  return audience.length !== 1 || !audience.every((name) => USUAL_AUDIENCE.test(name))
}

async function read(path: string, readFile: (path: string) => Promise<string>): Promise<string> {
  try {
    return await readFile(path)
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? String(error.code) : 'unknown'
    if (reason === 'ENOENT' || reason === 'ENOTDIR') {
      throw new BrokerError(
        'assertion_missing',
        `there is no projected token at ${path}: mount a projected service-account token there, or set AZURE_FEDERATED_TOKEN_FILE to where it is`,
        { cause: error },
      )
    }
    throw new BrokerError(
      'assertion_unreadable',
      `the projected token file ${path} cannot be read (${reason}): check that it is a file and that wimds’ user may read it`,
      { cause: error },
    )
  }
}

/** Nothing of the text goes into the error: it may be a credential of another kind. */
function parse(text: string, path: string): Assertion {
  const isJwt = text.length <= MAX_TOKEN_BYTES && JWT.test(text)
  const claims = isJwt ? decode(text) : undefined
  if (claims === undefined) {
    throw new BrokerError(
      'assertion_malformed',
      `the file ${path} does not hold a service-account token (a JWT with iss, sub, aud and exp): set AZURE_FEDERATED_TOKEN_FILE to the projected token`,
    )
  }
  return {
    secret: new Secret(text),
    issuer: claims.iss,
    subject: claims.sub,
    audience: [claims.aud].flat(),
    expiresAt: claims.exp * 1000,
    ...(claims.iat !== undefined && { issuedAt: claims.iat * 1000 }),
  }
}

function decode(text: string): z.infer<typeof Claims> | undefined {
  try {
    return Claims.parse(decodeJwt(text))
  } catch {
    return undefined
  }
}
