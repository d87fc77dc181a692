/** What every managed-identity wire protocol is made of, whichever the server speaks. */
import type { IncomingHttpHeaders } from 'node:http'
import type { BrokerError } from '../errors.ts'
import type { Identity, Selector } from '../identities.ts'
import type { AccessToken } from '../tokens/token.ts'

/** A request as it came over the wire. */
export interface WireRequest {
  readonly method: string
  /** What follows the `?`, still encoded. */
  readonly query: string
  readonly headers: IncomingHttpHeaders
  readonly body?: string | undefined
}

/** What a caller wants, in the broker's words. */
export interface TokenQuery {
  readonly selector: Selector
  /** As the caller named it; replies echo it to the letter (R10). */
  readonly resource: string
  readonly bypassCache?: boolean
}

/** What a caller gets, before it is put into the words of its dialect. */
export interface TokenAnswer {
  readonly query: TokenQuery
  readonly identity: Identity
  readonly token: AccessToken
  /** Whole seconds that are left, at least 1. */
  readonly expiresIn: number
  /** Epoch seconds; always now + `expiresIn`. */
  readonly expiresOn: number
}

/** A reply as it goes over the wire: always one line of JSON with its length (R5). */
export interface Reply {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body: string
}

/**
 * One managed-identity protocol at one path: it knows the wire and nothing of Entra ID. Protocols
 * may share a path; then the first one whose `matches` says yes speaks.
 */
export interface Dialect {
  /** Its name in metrics and logs. */
  readonly name: string
  readonly path: string
  readonly methods: readonly ('GET' | 'POST')[]
  /** Whether a request at the path is this protocol's; undefined: all that no other one takes. */
  readonly matches?: (request: WireRequest) => boolean
  /** Throws a `BrokerError` for a request that the dialect does not allow. */
  readonly parse: (request: WireRequest) => TokenQuery
  readonly render: (answer: TokenAnswer, request: WireRequest) => Reply
  readonly renderError: (error: BrokerError) => Reply
}
