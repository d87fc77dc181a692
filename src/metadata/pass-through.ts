/** Requests that may go on to the machine's real metadata service: an allow-list, off by default. */
import { once } from 'node:events'
import { type IncomingMessage, request as httpRequest } from 'node:http'
import { readBody } from '../lib/read-body.ts'
import type { Reply } from '../dialects/dialect.ts'
import { BrokerError } from '../errors.ts'
import { allowList } from './pass-through-paths.ts'

/** What of a caller's request is looked at. */
interface ForwardableRequest {
  readonly method: string
  /** Path and query as sent; the guard has refused ambiguous ones. */
  readonly url: string
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
}

export interface PassThrough {
  /** True if a request for this path would be passed on. */
  readonly allows: (path: string) => boolean
  /** The real service's answer; undefined when the path is not allowed. Throws `BrokerError`s. */
  readonly forward: (request: ForwardableRequest) => Promise<Reply | undefined>
}

interface PassThroughOptions {
  /** Paths that may be passed on, each with all below it. */
  readonly prefixes: readonly string[]
  /** The real service; only tests have another. */
  readonly target?: { readonly host: string; readonly port: number }
  /** For the whole exchange. */
  readonly timeoutMs?: number
  readonly maxBytes?: number
}

const REAL_IMDS = { host: '169.254.169.254', port: 80 }

/** All else, hop-by-hop fields and X-Forwarded-For among it, stays here. */
const PASSED_HEADERS = ['accept', 'metadata', 'metadata-flavor']
/** Spelt as our own replies spell them: one header in two spellings would be sent twice. */
const PASSED_REPLY_HEADERS = ['Content-Type', 'Retry-After', 'Metadata-Flavor']

/** By this a request that the redirect led back to its sender is known. */
const USER_AGENT = 'wimds-pass-through'

/** Passes GETs of the listed paths on; answers are bounded in time and size, redirects not followed. */
export function passThrough(options: PassThroughOptions): PassThrough {
  const allows = allowList(options.prefixes)

  return {
    allows,
    async forward({ method, url, headers }) {
      // Two slashes at the start would be read as a host.
      const { pathname, search } = new URL(url.replace(/^\/+/, '/'), 'http://metadata')
      // An escaped letter would be read here as one path and there as another.
      if (pathname.includes('%') || !allows(pathname)) return undefined
      if (method !== 'GET') {
        throw new BrokerError('method_not_allowed', `${method} is not allowed here`)
      }
      if (headers['user-agent'] === USER_AGENT) {
        throw new BrokerError(
          'pass_through_failed',
          'The redirect leads the sidecar to itself; run wimds redirect with --pass-through and --uid',
        )
      }
      const path = pathname.replaceAll(/\/{2,}/g, '/') + search
      return await fetchReply(path, picked(headers, PASSED_HEADERS), options)
    },
  }
}

/** One GET, without redirects, a proxy or a kept connection, bounded in time and size. */
async function fetchReply(
  path: string,
  headers: Record<string, string>,
  { target = REAL_IMDS, timeoutMs = 5000, maxBytes = 1_048_576 }: PassThroughOptions,
): Promise<Reply> {
  const signal = AbortSignal.timeout(timeoutMs)
  const ownHeaders = { host: REAL_IMDS.host, 'user-agent': USER_AGENT }
  const outgoing = httpRequest({
    ...target,
    path,
    headers: { ...headers, ...ownHeaders },
    agent: false,
    signal,
  })
  // Once the response is there, it is the one that fails.
  outgoing.on('error', () => {})
  // Without a listener Node drops such a connection and says nothing.
  outgoing.on('upgrade', (_, socket) => {
    socket.destroy()
    outgoing.emit('error', new Error('an upgrade'))
  })
  outgoing.end()
  try {
    const [incoming]: IncomingMessage[] = await once(outgoing, 'response', { signal })
    if (incoming === undefined) throw new Error('no response')
    const { statusCode: status = 0 } = incoming
    if (status < 200 || status > 599) throw new Error(`the status ${status}`)
    // To Node, a body without a length is whole however the connection ends.
    let failure: Error | undefined
    outgoing.once('error', (error) => {
      if (!incoming.complete) failure = error
    })
    const body = await readBody(
      incoming.iterator(),
      maxBytes,
      () => new Error(`more than ${maxBytes} bytes`),
    )
    if (failure !== undefined) throw failure
    return { status, headers: picked(incoming.headers, PASSED_REPLY_HEADERS), body }
  } catch (cause) {
    const message = 'The real metadata service did not answer as it should'
    throw new BrokerError('pass_through_failed', message, { cause })
  } finally {
    outgoing.destroy()
  }
}

function picked(
  headers: ForwardableRequest['headers'],
  names: readonly string[],
): Record<string, string> {
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = headers[name.toLowerCase()]
      return typeof value === 'string' ? [[name, value]] : []
    }),
  )
}
