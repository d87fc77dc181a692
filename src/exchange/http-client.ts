/**
 * The HTTP that MSAL is given in place of its own: time limits, no redirects, one allowed host, a
 * size cap, and a record of the answer, since MSAL drops the status and the headers of a failure (E4).
 */
import type { INetworkModule, NetworkRequestOptions } from '@azure/msal-node'
import { type Dispatcher, request } from 'undici'
import { readBody } from '../lib/read-body.ts'
import { BrokerError } from '../errors.ts'
import { scrubAndTruncate, type Secret } from '../secret.ts'
import { redirected, transportFailure } from './transport-errors.ts'

interface NetworkOptions {
  readonly dispatcher: Dispatcher
  /** Host and port that the assertion may go to. */
  readonly allowedHost: string
  /** What is sent. No piece of it is kept of an answer that is no token, whoever repeats it. */
  readonly assertion: Secret
  readonly signal: AbortSignal
}

/** An answer of the token endpoint as it came. */
export interface EntraAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  /** The parsed JSON object; undefined when the body is something else. */
  readonly json: Readonly<Record<string, unknown>> | undefined
  /** The beginning of a body that is not JSON, with nothing in it that could be a credential. */
  readonly excerpt: string
}

interface RecordingNetwork {
  readonly module: INetworkModule
  /** The last answer; undefined before one came. */
  readonly answer: () => EntraAnswer | undefined
  /** What kept an answer from coming. */
  readonly failure: () => BrokerError | undefined
}

/** A token response is about 2 kB; Entra's longest errors are below 10 kB. */
const MAX_BODY_BYTES = 262_144
const EXCERPT_LENGTH = 200

/** A network for one exchange. */
export function createMsalNetworkClient(options: NetworkOptions): RecordingNetwork {
  let answer: EntraAnswer | undefined
  let failure: BrokerError | undefined

  // oxlint-disable-next-line no-unnecessary-type-parameters -- MSAL's interface
  async function post<T>(url: string, { headers, body }: NetworkRequestOptions = {}) {
    try {
      answer = await send(url, { headers: headers ?? {}, body: body ?? '' }, options)
    } catch (error) {
      failure = error instanceof BrokerError ? error : transportFailure(error)
      throw failure
    }
    return {
      status: answer.status,
      headers: { ...answer.headers },
      // oxlint-disable-next-line no-unsafe-type-assertion -- MSAL's interface
      body: bodyFor(answer) as T,
    }
  }

  return {
    module: { sendPostRequestAsync: post, sendGetRequestAsync: refuseGet },
    answer: () => answer,
    failure: () => failure,
  }
}

/** Nothing in this flow is fetched: the authority's metadata is given to MSAL. */
function refuseGet(url: string): never {
  throw new BrokerError('internal', `MSAL asked for ${new URL(url).pathname}, which it was given`)
}

async function send(
  url: string,
  { headers, body }: { headers: Record<string, string>; body: string },
  { dispatcher, allowedHost, assertion, signal }: NetworkOptions,
): Promise<EntraAnswer> {
  const { host, protocol } = new URL(url)
  if (host !== allowedHost || protocol !== 'https:') {
    throw new BrokerError('entra_host_not_allowed', `the assertion may not be sent to ${host}`)
  }
  const response = await request(url, { method: 'POST', headers, body, dispatcher, signal })
  if (response.statusCode >= 300 && response.statusCode < 400) {
    // A body that is destroyed says so as an error, which would end the process if nobody listened.
    response.body.on('error', () => {}).destroy()
    throw redirected()
  }
  const status = response.statusCode
  const received = await readBody(response.body, MAX_BODY_BYTES, tooLong)
  const text = status === 200 ? received : assertion.redactIn(received)
  return {
    status,
    headers: plain(response.headers),
    json: parseObject(text),
    excerpt: scrubAndTruncate(text, EXCERPT_LENGTH),
  }
}

function tooLong(): BrokerError {
  return new BrokerError(
    'entra_bad_response',
    `the answer of the token endpoint is larger than ${MAX_BODY_BYTES} bytes`,
  )
}

function plain(headers: Record<string, string | string[] | undefined>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, [value ?? ''].flat().join(', ')]),
  )
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? { ...value }
      : undefined
  } catch {
    return undefined
  }
}

/**
 * The body as MSAL wants it: an object of its own, since MSAL writes into it. Entra's 429 for client
 * credentials is plain text (E5) and becomes the OAuth error that it stands for.
 */
function bodyFor({ json, excerpt }: EntraAnswer): unknown {
  return { ...(json ?? { error: 'temporarily_unavailable', error_description: excerpt }) }
}
