/**
 * The parts that all dialects share: their types and errors, and the header `Metadata`. A dialect is the code that speaks one managed
 * identity protocol.
 */
import type { IncomingHttpHeaders } from 'node:http'
import { BrokerError, type ErrorCode, isOfExchange } from '../../lib/errors.ts'
import type { Identity, Selector } from '../identities.ts'
import type { AccessToken } from '../tokens/token.ts'

export interface WireRequest {
  /** The query string without its `?`, still encoded. */
  readonly query: string
  readonly headers: IncomingHttpHeaders
  /** The form of a POST, of `MAX_BODY_BYTES` at most. */
  readonly body?: string | undefined
}

/** The names of the dialects, and of the other kinds of requests. */
export const PROTOCOLS = [
  'imds',
  'app-service-2017',
  'app-service-2019',
  'cloud-shell',
  'document',
  'pass-through',
  'none',
] as const
export type Protocol = (typeof PROTOCOLS)[number]

/** A token request after parsing, independent of its protocol. */
export interface TokenQuery {
  readonly selector: Selector
  /** The resource exactly as sent; replies echo it (R10). */
  readonly resource: string
  /** True if the caller asks for a new token although one is cached. */
  readonly bypassCache?: boolean
}

/** A token that answers a query, before rendering. */
export interface TokenAnswer {
  readonly query: TokenQuery
  readonly identity: Identity
  readonly token: AccessToken
  /** Remaining lifetime in whole seconds, at least 1. `computeExpiry` computes it and `expiresOn`. */
  readonly expiresIn: number
  /** Epoch seconds; always now + `expiresIn`. */
  readonly expiresOn: number
}

export interface Reply {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body: string
}

/** Creates a reply whose body is one line of compact JSON (R5). */
export function createJsonReply(
  status: number,
  value: object,
  headers?: Readonly<Record<string, string>>,
): Reply {
  return { status, body: JSON.stringify(value), ...(headers !== undefined && { headers }) }
}

/**
 * One managed identity protocol at one path. Its functions are pure and do not depend on Entra ID.
 * Several dialects may share a path; the first whose `matches` returns true handles the request.
 */
export interface Dialect {
  readonly name: Protocol
  readonly path: string
  readonly methods: readonly ('GET' | 'POST')[]
  /** Returns true for a request of this protocol. Undefined for the last dialect at a path, which takes every request. */
  readonly matches?: (request: WireRequest) => boolean
  /** Throws a `BrokerError` for a request that the protocol does not allow. */
  readonly parse: (request: WireRequest) => TokenQuery
  readonly render: (answer: TokenAnswer, request: WireRequest) => Reply
  readonly renderError: (error: BrokerError) => Reply
}

/** Returns the OAuth error word: Entra ID's own for a rejection, else one of IMDS's published words. */
export function findOAuthError(error: BrokerError): string {
  const { entra, code, isPermanent } = error
  const fallback = isPermanent ? 'invalid_request' : 'service_unavailable'
  return OAUTH_ERRORS[code] ?? entra?.error ?? fallback
}

/**
 * Returns the sentence for the caller. Errors that an operator must act on end with their code, which is a heading of
 * docs/troubleshooting.md. If the sentence is copied from the real service, `formatOwnMember` adds the code instead.
 */
export function formatDescription({ code, message, problem }: BrokerError): string {
  const exact = EXACT_SENTENCES[code]
  if (exact !== undefined) return exact
  if (TEXTS_OF_IMDS.has(code)) return problem
  const isForOperator = isOfExchange(code) || code === 'resource_not_allowed'
  return isForOperator ? `${message} (wimds: ${code})` : message
}

/**
 * Returns the member `wimds` of a 400 whose sentence is copied from the real service: the code, and for an error of identities
 * also the problem and its fix. SDKs ignore the member. Some, such as those for .NET, show users the body but not the header
 * X-Wimds-Error.
 */
export function formatOwnMember({ code, message, status }: BrokerError): { wimds?: string } {
  if (TEXTS_OF_IMDS.has(code)) return { wimds: code }
  return code in EXACT_SENTENCES && status === 400 ? { wimds: `${code}: ${message}` } : {}
}

const OAUTH_ERRORS: Partial<Record<ErrorCode, string>> = {
  not_found: 'not_found',
  imdsv2_not_supported: 'forbidden',
  method_not_allowed: 'method_not_allowed',
  entra_throttled: 'invalid_request',
  internal: 'server_error',
}

/** Sentences that clients match, word for word as the real service writes them (R6). */
const EXACT_SENTENCES: Partial<Record<ErrorCode, string>> = {
  entra_throttled: 'Temporarily throttled, too many requests',
  identity_not_found: 'Identity not found',
  identity_ambiguous:
    'Multiple user assigned identities exist, please specify the clientId / resourceId of the identity in the token request',
}

/** The errors whose messages begin with the text of the real service. */
const TEXTS_OF_IMDS: ReadonlySet<ErrorCode> = new Set([
  'metadata_header_missing',
  'api_version_invalid',
  'resource_missing',
])

/**
 * Throws `metadata_header_missing` unless the request has `Metadata: true`, in upper or lower case (R6). An attacker who tricks
 * a browser or a proxy into a request cannot add this header.
 */
export function requireMetadataHeader({ headers }: Pick<WireRequest, 'headers'>): void {
  const value = headers['metadata']
  if (typeof value !== 'string' || value.toLowerCase() !== 'true') {
    throw new BrokerError(
      'metadata_header_missing',
      'Required metadata header not specified',
      'send the header Metadata: true, unless this is the probe of an SDK',
    )
  }
}
