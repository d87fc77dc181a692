/**
 * Checks every request before it is parsed, whatever its dialect. The dialects, and not the guard, require the header
 * `Metadata`.
 */
import type { IncomingMessage } from 'node:http'
import { BrokerError } from '../../lib/errors.ts'
import { firstItems, printable } from '../../lib/printable.ts'
import { isLoopback, METADATA_IP } from '../../lib/hosts.ts'
import { rejectImdsV2 } from './reject-imds-v2.ts'

/** `url` is the request target as sent; `rawHeaders` has the duplicates that `headers` leaves out. */
type GuardedRequest = Pick<
  IncomingMessage,
  'method' | 'url' | 'headers' | 'rawHeaders' | 'httpVersion'
>

/** Throws a `BrokerError` for a request that is rejected. */
export type Guard = (request: GuardedRequest) => void

/** The address of IMDS, and the names of loopback. */
const DEFAULT_HOSTS = [METADATA_IP, 'localhost', '127.0.0.1', '[::1]']
/** `name`, `name:port`, `[v6]` or `[v6]:port` */
const HOST = /^(\[[^\]]*\]|[^:[\]]*)(?::\d*)?$/
/** A target in absolute form, as clients send it to a proxy (RFC 9112 section 3.2.2). */
const ABSOLUTE_FORM = /^http:\/\/([^/?#]*)/
/**
 * Paths that another server, or a router, may read differently: backslashes, dot segments, escapes of
 * characters that need none (RFC 3986 section 2.3), and of the Kelvin sign, whose lower case is an ASCII k.
 */
const AMBIGUOUS_PATH =
  /\\|%(?:00|2[d-f]|3\d|[46][1-9a-f]|[57][\da]|5[cf]|7e|e2%84%aa)|#|\/\.{1,2}(?:\/|$)/i
const METADATA = /^\/+metadata(?:\/|$)/i

/**
 * Creates the guard. It checks Host, forwarding, the path and, below `/metadata`, the method. `allowedHosts`, without ports,
 * are allowed in addition to `DEFAULT_HOSTS`.
 */
export function createGuard(allowedHosts: readonly string[]): Guard {
  const hosts = new Set([...DEFAULT_HOSTS, ...allowedHosts].map((host) => host.toLowerCase()))

  return ({ method, url = '', headers, rawHeaders, httpVersion }) => {
    requireSingleHost(rawHeaders, httpVersion)
    // The host of the URL takes precedence over the header (RFC 9112 section 3.2.2).
    const [origin = '', host = headers.host] = ABSOLUTE_FORM.exec(url) ?? []
    if (host !== undefined) requireAllowedHost(host, hosts)
    if (headers['x-forwarded-for'] !== undefined) {
      throw new BrokerError(
        'forwarded_request',
        'The request has been forwarded by a proxy (X-Forwarded-For)',
        'add 169.254.169.254 to NO_PROXY of the application',
      )
    }
    const [path = ''] = url.slice(origin.length).split('?', 1)
    if (!path.startsWith('/') || AMBIGUOUS_PATH.test(path)) throw createPathError()
    rejectImdsV2(path)
    if (method !== 'GET' && METADATA.test(path)) {
      throw new BrokerError('method_not_allowed', `${method} is not allowed here`, 'use GET')
    }
  }
}

/** Creates the error of a path that routers read in different ways, or not at all. */
export function createPathError(): BrokerError {
  return new BrokerError(
    'invalid_path',
    'The path is ambiguous',
    'send it plain, without dot segments, backslashes and unnecessary escapes',
  )
}

/**
 * Throws without exactly one Host header; HTTP/1.0 clients may send none (R17). Node keeps the first of several, while a proxy
 * in front may have checked another.
 */
function requireSingleHost(rawHeaders: readonly string[], httpVersion: string): void {
  // Names and values alternate in `rawHeaders`.
  const count = rawHeaders.filter(
    (name, index) => index % 2 === 0 && name.length === 4 && name.toLowerCase() === 'host',
  ).length
  if (count === 1 || (count === 0 && httpVersion === '1.0')) return
  throw new BrokerError(
    'host_not_allowed',
    `A request must have one Host header, not ${count}`,
    'send it without a proxy that changes headers',
  )
}

/** Throws unless the host names this service. After DNS rebinding, a web page in a browser sends its own host name. */
function requireAllowedHost(host: string, hosts: ReadonlySet<string>): void {
  const name = (HOST.exec(host)?.[1] ?? '').toLowerCase()
  if (hosts.has(name) || isLoopback(name)) return
  throw new BrokerError(
    'host_not_allowed',
    `The host '${printable(host)}' is not one of this service; allowed: ${firstItems([...hosts], 8).join(', ')}`,
    'use one of them, or add the host to WIMDS_ALLOWED_HOSTS',
  )
}
