/** Sends requests to servers of this machine and to the metadata address, never through a proxy. */
import { Agent, request } from 'undici'
import { parseJson } from '../lib/json.ts'
import { readBody } from '../lib/read-body.ts'

interface LocalRequest {
  /** Time limit of the whole request. */
  readonly timeoutMs: number
  readonly headers?: Readonly<Record<string, string>>
}

interface LocalReply {
  readonly status: number
  /** The `Server` header; empty if there is none. */
  readonly server: string
  /** The parsed body; undefined if it is not JSON. */
  readonly json: unknown
}

const MAX_BODY_BYTES = 65_536

/** Sends a GET. Throws undici's error, or a `TimeoutError`. */
export async function getLocal(
  url: string,
  { timeoutMs, headers = {} }: LocalRequest,
): Promise<LocalReply> {
  // An agent of its own: the global one may use a proxy (NODE_USE_ENV_PROXY).
  const dispatcher = new Agent()
  try {
    const signal = AbortSignal.timeout(timeoutMs)
    const reply = await request(url, { headers, signal, dispatcher })
    const text = await readBody(reply.body, MAX_BODY_BYTES, () => new Error('a long response'))
    const server = [reply.headers['server'] ?? ''].flat().join(', ')
    return { status: reply.statusCode, server, json: parseJson(text) }
  } finally {
    await dispatcher.destroy()
  }
}
