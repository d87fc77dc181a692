/** Requests to servers of this machine. */
import { parseJson } from '../../lib/json.ts'
import { type GetOptions, sendGet } from '../../lib/http.ts'

interface LocalReply {
  readonly status: number
  /** The `Server` header; empty if there is none. */
  readonly server: string
  /** The parsed body; undefined if it is not JSON. */
  readonly json: unknown
}

/** Sends a GET to a server of this machine. Throws what `sendGet` throws. */
export async function getLocal(url: string, options: GetOptions): Promise<LocalReply> {
  const { status, headers, body } = await sendGet(url, options)
  return { status, server: [headers['server'] ?? ''].flat().join(', '), json: parseJson(body) }
}
