/** Replies on their way out: rendered once, and written in one piece. */
import { type OutgoingHttpHeaders, type ServerResponse, STATUS_CODES } from 'node:http'
import type { Dialect, Reply, TokenAnswer, WireRequest } from '../dialects/dialect.ts'
import type { BrokerError } from '../errors.ts'
import type { AccessToken } from '../tokens/token.ts'

/** The real service's name; the newest clients look for `IMDS` in it. */
const SERVER = 'IMDS/150.870.65.1854'
export const JSON_TYPE = 'application/json; charset=utf-8'

/** A reply in the form in which Node writes it. */
export interface PreparedReply {
  readonly status: number
  readonly head: OutgoingHttpHeaders
  readonly body: string
  readonly encoding: BufferEncoding
}

type Render = (dialect: Dialect, answer: TokenAnswer, request: WireRequest) => PreparedReply

/** A reply and all that it was made of, beside the token. */
interface Rendered extends Omit<TokenAnswer, 'query' | 'token'> {
  readonly dialect: Dialect
  readonly query: string
  readonly body: string | undefined
  readonly userAgent: string | undefined
  readonly reply: PreparedReply
}

/**
 * Renders answers. The same token asked for in the same words in the same second has the same
 * reply, which is not made anew: with the garbage it leaves, that is a tenth of a request's cost.
 */
export function rendering(): Render {
  const last = new WeakMap<AccessToken, Rendered>()

  return (dialect, answer, request) => {
    const { token, identity, expiresIn, expiresOn } = answer
    const { query, body } = request
    const userAgent = request.headers['user-agent']
    const held = last.get(token)
    if (
      held?.expiresIn === expiresIn &&
      held.expiresOn === expiresOn &&
      held.query === query &&
      held.body === body &&
      held.identity === identity &&
      held.dialect === dialect &&
      held.userAgent === userAgent
    ) {
      return held.reply
    }
    const reply = prepare(dialect.render(answer, request))
    last.set(token, { dialect, identity, expiresIn, expiresOn, query, body, userAgent, reply })
    return reply
  }
}

/** Adds what every reply says of itself, its length among it (R5). */
export function prepare({ status, headers, body }: Reply): PreparedReply {
  const length = Buffer.byteLength(body)
  return {
    status,
    head: { 'Content-Type': JSON_TYPE, Server: SERVER, 'Content-Length': length, ...headers },
    body,
    // As many bytes as characters: ASCII, which Node writes as Latin-1 without a look at each one.
    encoding: length === body.length ? 'latin1' : 'utf8',
  }
}

/**
 * Writes the reply in one piece: Fastify's own serialization would add a third to the cost of a
 * cached token. Throws, with nothing written, for a status or a header that HTTP has no room for.
 */
export function write(response: ServerResponse, reply: PreparedReply): void {
  // Without its reason, Node would keep that of a reply which could not be written before this one.
  response.writeHead(reply.status, STATUS_CODES[reply.status] ?? '', reply.head)
  response.end(reply.body, reply.encoding)
}

/**
 * What every error says beside its body; the body in ASCII alone, since Entra ID's sentences and
 * our own hold other characters and old clients read bodies by their platform's charset.
 */
export function errorReply(reply: Reply, error: BrokerError, methods: readonly string[]): Reply {
  const headers = { ...reply.headers }
  if (error.code === 'method_not_allowed') headers['Allow'] = methods.join(', ')
  if (!error.isPermanent) {
    headers['Retry-After'] = String(Math.max(1, Math.ceil((error.retryAfterMs ?? 0) / 1000)))
  }
  return { ...reply, headers, body: reply.body.replace(/[^\0-\x7f]/g, escaped) }
}

/** A UTF-16 code unit as JSON escapes it. */
function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
}
