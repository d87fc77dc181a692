/** Refusals that hold for every request, whatever its dialect: pure, and before anything is parsed. */
import type { IncomingHttpHeaders } from 'node:http'
import { isIPv4 } from 'node:net'
import { BrokerError } from '../errors.ts'

interface GuardOptions {
  /** Host names and addresses, without ports, allowed beside the usual ones. */
  readonly allowedHosts: readonly string[]
}

interface GuardedRequest {
  readonly method: string
  /** The request target as sent: path and query, or a whole URL. */
  readonly url: string
  readonly headers: IncomingHttpHeaders
  /** Names and values in turn, with those that `headers` leaves out. */
  readonly rawHeaders: readonly string[]
  /** `1.0`, `1.1` */
  readonly httpVersion: string
}

/** Throws the `BrokerError` that refuses the request, or returns. */
export type Guard = (request: GuardedRequest) => void

/** Where the IMDS lives, and the names of this machine. */
const USUAL_HOSTS = ['169.254.169.254', 'localhost', '127.0.0.1', '[::1]']
const HOST = /^(\[[^\]]*\]|[^:[\]]*)(?::\d*)?$/
/** A target that is a whole URL, as a client writes it to a proxy (RFC 9112 section 3.2.2). */
const ABSOLUTE = /^http:\/\/([^/?#]*)/
/**
 * Ways to write a path that another server, or a router, would read differently. Among them are escapes
 * of characters that need none (RFC 3986 section 2.3): a filter in front may know only the plain form.
 */
const CONFUSING = /\\|%(?:00|2[d-f]|3\d|[46][1-9a-f]|[57][\da]|5[cf]|7e)|#|\/\.{1,2}(?:\/|$)/i
const METADATA = /^\/+metadata(?:\/|$)/i
/** IMDSv2's endpoints. Its clients fall back to IMDSv1 at once after 403, but retry after 404 (R7). */
const IMDS_V2 = /^\/+metadata\/+identity\/+(?:getplatformmetadata|issuecredential)\/*$/i

export function guard({ allowedHosts }: GuardOptions): Guard {
  const hosts = new Set([...USUAL_HOSTS, ...allowedHosts].map((host) => host.toLowerCase()))

  return ({ method, url, headers, rawHeaders, httpVersion }) => {
    const absolute = url.startsWith('/') ? null : ABSOLUTE.exec(url)
    requireOneHost(headers.host, rawHeaders, httpVersion)
    // The URL's host goes before the header's.
    requireAllowedHost(absolute?.[1] ?? headers.host, hosts)
    if (headers['x-forwarded-for'] !== undefined) {
      throw new BrokerError('forwarded_request', 'Requests must not be forwarded (X-Forwarded-For)')
    }
    const path = pathOf(url.slice(absolute?.[0].length ?? 0))
    if (!path.startsWith('/') || CONFUSING.test(path)) {
      throw new BrokerError('invalid_path', 'The path is ambiguous')
    }
    if (IMDS_V2.test(path)) {
      throw new BrokerError('imdsv2_not_supported', 'IMDSv2 is not supported')
    }
    if (method !== 'GET' && METADATA.test(path)) {
      throw new BrokerError('method_not_allowed', `${method} is not allowed here`)
    }
  }
}

/**
 * HTTP/1.0 clients may send no Host (R17), later ones must. Of several, Node keeps the first, while
 * whatever stands before this server may have judged by another.
 */
function requireOneHost(
  header: string | undefined,
  rawHeaders: readonly string[],
  httpVersion: string,
): void {
  const isMissing = header === undefined && httpVersion !== '1.0'
  if (isMissing || countOf('host', rawHeaders) > 1) throw hostNotAllowed()
}

/** A page whose name was made to point here (DNS rebinding) sends its own name as Host. */
function requireAllowedHost(host: string | undefined, hosts: ReadonlySet<string>): void {
  if (host === undefined) return
  const name = hostNameOf(host)
  if (!hosts.has(name) && !(isIPv4(name) && name.startsWith('127.'))) throw hostNotAllowed()
}

function hostNotAllowed(): BrokerError {
  return new BrokerError('host_not_allowed', 'The Host header is not one of this service')
}

function countOf(name: string, rawHeaders: readonly string[]): number {
  let count = 0
  for (let index = 0; index < rawHeaders.length; index += 2) {
    if (rawHeaders[index]?.toLowerCase() === name) count += 1
  }
  return count
}

/** `name`, `name:port`, `[v6]`, `[v6]:port` → the part without the port, in lower case. */
function hostNameOf(header: string): string {
  return (HOST.exec(header)?.[1] ?? '').toLowerCase()
}

function pathOf(url: string): string {
  const query = url.indexOf('?')
  return query < 0 ? url : url.slice(0, query)
}
