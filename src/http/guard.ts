/** Refusals that hold for every request, whatever its dialect: pure, and before anything is parsed. */
import type { IncomingHttpHeaders } from 'node:http'
import { BrokerError } from '../errors.ts'

interface GuardOptions {
  /** Host names and addresses, without ports, allowed beside the usual ones. */
  readonly allowedHosts: readonly string[]
}

interface GuardedRequest {
  readonly method: string
  /** The request target: path and query, as sent. */
  readonly url: string
  readonly headers: IncomingHttpHeaders
  /** `1.0`, `1.1` */
  readonly httpVersion: string
}

/** Throws the `BrokerError` that refuses the request, or returns. */
export type Guard = (request: GuardedRequest) => void

/** Where the IMDS lives, and the names of this machine. */
const USUAL_HOSTS = ['169.254.169.254', 'localhost', '[::1]']
const HOST = /^(\[[^\]]*\]|[^:[\]]*)(?::\d*)?$/
const LOOPBACK = /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/
/** Ways to write a path that another server, or a router, would read differently. */
const CONFUSING = /\\|%2f|%5c|%2e|%00|#|\/\.{1,2}(?:\/|$)/i
const METADATA = /^\/+metadata(?:\/|$)/i
/** IMDSv2's endpoints: that they do not exist is what its clients probe for (R7). */
const IMDS_V2 = /^\/+metadata\/+identity\/+(?:getplatformmetadata|issuecredential)\/*$/i

export function guard({ allowedHosts }: GuardOptions): Guard {
  const hosts = new Set([...USUAL_HOSTS, ...allowedHosts].map((host) => host.toLowerCase()))

  return ({ method, url, headers, httpVersion }) => {
    requireAllowedHost(headers.host, httpVersion, hosts)
    if (headers['x-forwarded-for'] !== undefined) {
      throw new BrokerError('forwarded_request', 'Requests must not be forwarded (X-Forwarded-For)')
    }
    const path = pathOf(url)
    if (!path.startsWith('/') || CONFUSING.test(path)) {
      throw new BrokerError('path_confused', 'The path is ambiguous')
    }
    if (IMDS_V2.test(path)) throw new BrokerError('not_found', 'Not found')
    if (method !== 'GET' && METADATA.test(path)) {
      throw new BrokerError('method_not_allowed', `${method} is not allowed here`)
    }
  }
}

/**
 * A page whose name was made to point here (DNS rebinding) sends its own name as Host. HTTP/1.0
 * clients may send none (R17).
 */
function requireAllowedHost(
  header: string | undefined,
  httpVersion: string,
  hosts: ReadonlySet<string>,
): void {
  if (header === undefined && httpVersion === '1.0') return
  const host = hostNameOf(header ?? '')
  if (!hosts.has(host) && !LOOPBACK.test(host)) {
    throw new BrokerError('host_not_allowed', 'The Host header is not one of this service')
  }
}

/** `name`, `name:port`, `[v6]`, `[v6]:port` → the part without the port, in lower case. */
function hostNameOf(header: string): string {
  return (HOST.exec(header)?.[1] ?? '').toLowerCase()
}

function pathOf(url: string): string {
  const query = url.indexOf('?')
  return query < 0 ? url : url.slice(0, query)
}
