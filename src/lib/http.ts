/** HTTP: reads the bodies of other servers, which may not end, and sends requests to servers of this machine. */
import { Agent, get } from 'node:http'
import { parseJson } from './json.ts'

/** Returns the whole body as UTF-8. Throws the error of `createError` once it exceeds `maxBytes`. */
export async function readBody(
  body: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  maxBytes: number,
  createError: () => Error,
): Promise<string> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of body) {
    size += chunk.length
    if (size > maxBytes) throw createError()
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

interface LocalRequest {
  /** Time limit of the whole request. */
  readonly timeoutMs: number
  readonly headers?: Readonly<Record<string, string>>
  readonly maxBytes?: number
}

interface LocalReply {
  readonly status: number
  /** The `Server` header; empty if there is none. */
  readonly server: string
  /** The parsed body; undefined if it is not JSON. */
  readonly json: unknown
}

const MAX_BODY_BYTES = 65_536

/** Sends a GET. Throws the error of `node:http`, or a `TimeoutError`. */
export async function getLocal(
  url: string,
  { timeoutMs, headers = {}, maxBytes = MAX_BODY_BYTES }: LocalRequest,
): Promise<LocalReply> {
  // Not the global agent, which may use a proxy (NODE_USE_ENV_PROXY).
  const agent = new Agent()
  const signal = AbortSignal.timeout(Math.ceil(timeoutMs))
  try {
    return await new Promise((resolve, reject) => {
      const request = get(url, { headers, agent, signal }, (response) => {
        readBody(response, maxBytes, () => new Error('a long response')).then(
          (text) =>
            resolve({
              status: response.statusCode ?? 0,
              server: [response.headers['server'] ?? ''].flat().join(', '),
              json: parseJson(text),
            }),
          reject,
        )
      })
      request.on('error', reject)
    })
  } catch (error) {
    // The request's own error says only that it was aborted.
    throw signal.aborted ? signal.reason : error
  } finally {
    agent.destroy()
  }
}
