/** Pass-through: forwards GETs of listed paths to the machine's real metadata service. Off by default. */
import type { IncomingMessage } from 'node:http'
import type { Reply } from '../dialects/dialect.ts'
import { BrokerError } from '../../lib/errors.ts'
import { METADATA_IP, METADATA_PORT } from '../../lib/hosts.ts'
import { sendGet } from '../../lib/send-get.ts'
import { createSemaphore } from '../../lib/semaphore.ts'
import { docsPage } from '../../lib/version.ts'

/** The part of a caller's request that matters here. The guard has rejected ambiguous targets. */
type ForwardableRequest = Pick<IncomingMessage, 'method' | 'url' | 'headers'>

/** Returns the real service's reply; undefined if the path is not allowed. Throws `BrokerError`s. */
export type PassThrough = (request: ForwardableRequest) => Promise<Reply | undefined>

interface PassThroughOptions {
  /** The forwarded paths, each with everything below it. */
  readonly prefixes: readonly string[]
  /** The real service by default. Tests pass another one. */
  readonly target?: { readonly host: string; readonly port: number }
  /** Time limit of a forwarded request, from the connection to the end of the reply. */
  readonly timeoutMs?: number
  readonly maxBytes?: number
}

/**
 * The only paths that can be forwarded, in lower case. A closed list: anything else that a metadata
 * service has, in any cloud and version, may be a credential (identity tokens, AWS roles, GKE's kube-env).
 */
export const ALLOWED_PREFIXES: readonly string[] = [
  '/metadata/instance',
  '/metadata/loadbalancer',
  '/metadata/scheduledevents',
  '/metadata/versions',
  '/latest/meta-data/instance-id',
  '/latest/meta-data/instance-type',
  '/latest/meta-data/placement',
  '/computemetadata/v1/instance/hostname',
  '/computemetadata/v1/instance/id',
  '/computemetadata/v1/instance/machine-type',
  '/computemetadata/v1/instance/name',
  '/computemetadata/v1/instance/zone',
  '/computemetadata/v1/project/numeric-project-id',
  '/computemetadata/v1/project/project-id',
]

/** A path without dot segments, escapes and `;`, which servers resolve differently. */
const PLAIN_PATH = /^(?!.*\/\.{1,2}(?:\/|$))\/[\w/.-]+$/

/** Returns why a prefix cannot be forwarded, as the end of a sentence that begins with the prefix; undefined if it can. */
export function findPrefixProblem(prefix: string): string | undefined {
  if (!PLAIN_PATH.test(prefix)) return 'must be a path such as /metadata/instance'
  if (isBelow(ALLOWED_PREFIXES, normalizePath(prefix))) return undefined
  return `cannot be forwarded; ${docsPage('configuration')} lists the paths that can`
}

/** Converts a path to lower case, since servers differ in whether case counts, and removes superfluous slashes. */
function normalizePath(path: string): string {
  return path
    .toLowerCase()
    .replaceAll(/\/{2,}/g, '/')
    .replace(/\/$/, '')
}

function isBelow(prefixes: readonly string[], path: string): boolean {
  return prefixes.some((prefix) => path === prefix || path.startsWith(`${prefix}/`))
}

const REAL_IMDS = { host: METADATA_IP, port: METADATA_PORT }

/** The only forwarded headers; hop-by-hop headers and X-Forwarded-For are not among them. */
const REQUEST_HEADERS = ['accept', 'metadata', 'metadata-flavor']
/** Our own replies spell them in this way, and a header in two spellings would be sent twice. */
const REPLY_HEADERS = ['Content-Type', 'Retry-After', 'Metadata-Flavor']

/** Identifies a request that a wrong redirect rule has sent back to the sidecar. */
const USER_AGENT = 'wimds-pass-through'

/**
 * How many requests may wait for the real metadata service at the same time. Applications send few, and it answers
 * within milliseconds; while it does not, connections must be left for callers of cached tokens.
 */
const MAX_CONCURRENT = 16

/** Creates the pass-through. Replies are bounded in time, size and number; redirects are not followed. */
export function createPassThrough(options: PassThroughOptions): PassThrough {
  const limit = createSemaphore({
    maxConcurrent: MAX_CONCURRENT,
    maxQueued: 0,
    createError: () =>
      new BrokerError(
        'overloaded',
        `${MAX_CONCURRENT} requests are waiting for the real metadata service`,
        'try again later; if this stays so, check that 169.254.169.254 answers on the node',
      ),
  })
  const prefixes = options.prefixes.map(normalizePath)
  const allows = (path: string) => {
    const normalized = normalizePath(path)
    return (
      PLAIN_PATH.test(path) &&
      isBelow(prefixes, normalized) &&
      isBelow(ALLOWED_PREFIXES, normalized)
    )
  }

  return async ({ method, url = '', headers }) => {
    // Two slashes at the start would be parsed as a host.
    const { pathname, search } = new URL(url.replace(/^\/+/, '/'), 'http://metadata')
    if (!allows(pathname)) return undefined
    if (method !== 'GET') {
      throw new BrokerError('method_not_allowed', `${method} is not allowed here`, 'use GET')
    }
    if (headers['user-agent'] === USER_AGENT) {
      throw new BrokerError(
        'pass_through_failed',
        'The redirect sends the sidecar’s own request back to it',
        'run wimds redirect with --pass-through and --uid',
      )
    }
    const path = pathname.replaceAll(/\/{2,}/g, '/') + search
    return limit(() => fetchReply(path, pick(headers, REQUEST_HEADERS), options))
  }
}

async function fetchReply(
  path: string,
  headers: Record<string, string>,
  { target = REAL_IMDS, timeoutMs = 5000, maxBytes = 1_048_576 }: PassThroughOptions,
): Promise<Reply> {
  const ownHeaders = { host: REAL_IMDS.host, 'user-agent': USER_AGENT }
  try {
    const response = await sendGet(`http://${target.host}:${target.port}${path}`, {
      headers: { ...headers, ...ownHeaders },
      timeoutMs,
      maxBytes,
    })
    const { status, body } = response
    if (status < 200 || status > 599) throw new Error(`the status ${status}`)
    return { status, headers: pick(response.headers, REPLY_HEADERS), body }
  } catch (cause) {
    const problem = 'The real metadata service did not send a valid reply'
    const fix = 'unset WIMDS_PASS_THROUGH outside Azure, or run wimds redirect with --pass-through'
    throw new BrokerError('pass_through_failed', problem, { fix, cause })
  }
}

function pick(
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
