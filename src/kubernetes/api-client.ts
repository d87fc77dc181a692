/** Calls of the Kubernetes API server: their limits and errors. */
import { pipeline } from 'node:stream'
import { createGunzip } from 'node:zlib'
import type * as z from 'zod/mini'
import { isTimeoutError } from '../lib/deadline.ts'
import { errorCode, errorMessage } from '../lib/describe-error.ts'
import { parseJson } from '../lib/json.ts'
import { readBody } from '../lib/read-body.ts'
import type { Dispatcher } from '../lib/undici.ts'
import { VERSION } from '../lib/version.ts'
import { findCluster } from './credentials.ts'

interface ApiCall {
  /** Completes "cannot …" in the message of an error. */
  readonly action: string
  /** PATCH sends a JSON Patch. */
  readonly method?: 'GET' | 'POST' | 'PATCH'
  readonly path: string
  readonly body?: unknown
  readonly accept?: string
  /** Limits the call until its answer is complete. */
  readonly timeoutMs?: number
  /** The call fails after this long without a byte: the connection is dead, or there was nothing to send. */
  readonly idleMs?: number
}

/**
 * Each call throws an error of one line, without the answer of the API server: after its time limit, at the shutdown, and
 * for a status other than 2xx.
 */
export interface ApiServer {
  /** Returns the answer, which has to be JSON that matches the schema. */
  readonly call: <T>(
    call: ApiCall & { readonly maxBytes?: number },
    answer: z.ZodMiniType<T>,
  ) => Promise<T>
  /** Passes the body of the answer to the function, and returns its result. */
  readonly stream: <T>(
    call: ApiCall,
    read: (body: AsyncIterable<Uint8Array>) => Promise<T>,
  ) => Promise<T>
}

/** An API server accepts no larger object than 3 MiB. */
const MAX_ANSWER_BYTES = 4 * 1024 * 1024

const TIMEOUT_MS = 10_000

/** Connects to the API server of this pod's cluster. Throws a `ConfigError` outside of a pod. */
export function connectToApiServer(shutdown: AbortSignal): ApiServer {
  const { origin, readHeaders, dispatcher } = findCluster(process.env)

  async function send<T>(
    {
      action,
      method = 'GET',
      path,
      body,
      accept = 'application/json',
      timeoutMs = TIMEOUT_MS,
      idleMs = 0,
    }: ApiCall,
    read: (body: AsyncIterable<Uint8Array>) => Promise<T>,
  ): Promise<T> {
    try {
      const answer = await dispatcher.request({
        origin,
        path,
        method,
        headers: {
          ...(await readHeaders()),
          'User-Agent': `wimds/${VERSION}`,
          Accept: accept,
          // The API server compresses answers of more than 128 KiB: the pods of a node to a tenth.
          'Accept-Encoding': 'gzip',
          ...(method !== 'GET' && { 'Content-Type': CONTENT_TYPES[method] }),
        },
        body: body === undefined ? null : JSON.stringify(body),
        signal: AbortSignal.any([shutdown, AbortSignal.timeout(timeoutMs)]),
        // 0 is no limit. The dispatcher's default is five minutes, which would break a longer watch.
        headersTimeout: idleMs,
        bodyTimeout: idleMs,
      })
      if (answer.statusCode >= 200 && answer.statusCode < 300) return await read(decode(answer))
      await answer.body.dump()
      throw new StatusError(answer.statusCode)
    } catch (error) {
      throw new Error(`cannot ${action}: ${describeFailure(error)}`, { cause: error })
    }
  }

  return {
    call: ({ maxBytes = MAX_ANSWER_BYTES, ...call }, schema) =>
      send(call, async (body) => {
        const createError = () => new Error(`the answer is larger than ${maxBytes} bytes`)
        const answer = parseJson(await readBody(body, maxBytes, createError))
        if (answer === undefined) throw new Error('the API server did not send JSON')
        const { success, data } = schema.safeParse(answer)
        if (!success) throw new Error('the answer of the API server is not of the expected kind')
        return data
      }),
    stream: send,
  }
}

/** Returns the decompressed body, which ends and fails as the body of the answer does. */
function decode({ headers, body }: Dispatcher.ResponseData): AsyncIterable<Uint8Array> {
  if (headers['content-encoding'] !== 'gzip') return body
  return pipeline(body, createGunzip(), () => {})
}

/** Returns true if no byte has come for `idleMs`. */
export const isSilence = (error: unknown) =>
  error instanceof Error &&
  ['UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT'].includes(errorCode(error.cause) ?? '')

const CONTENT_TYPES = { POST: 'application/json', PATCH: 'application/json-patch+json' }

/** Returns true if the API server answered with one of these statuses. */
export function hasStatus(error: unknown, ...statuses: readonly number[]): boolean {
  const cause = error instanceof Error ? error.cause : undefined
  return cause instanceof StatusError && statuses.includes(cause.status)
}

/** Resolves with undefined if the API server answered 404. */
export async function ifFound<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer
  } catch (error) {
    if (hasStatus(error, 404)) return undefined
    throw error
  }
}

/** The API server answered with this status, or sent it in an event of a watch. */
export class StatusError extends Error {
  readonly status: number

  constructor(status: number) {
    super(`the API server answered ${status}`)
    this.status = status
  }
}

/** Describes the failure in one line. */
function describeFailure(error: unknown): string {
  if (isTimeoutError(error)) return 'the API server did not answer in time'
  const [line = ''] = errorMessage(error).split('\n')
  return line
}
