/** Requests to servers of this machine. */
import type * as z from 'zod/mini'
import { parseJson } from '../../lib/json.ts'
import { type GetOptions, sendGet } from '../../lib/send-get.ts'

interface LocalReply {
  readonly status: number
  /** The `Server` header; empty if there is none. */
  readonly server: string
  /** The parsed body; undefined if it is not JSON. */
  readonly json: unknown
}

/** The longest status document that is read. */
const MAX_STATUS_BYTES = 16 * 1024 * 1024
const STATUS_TIMEOUT_MS = 10_000

/** Sends a GET to a server of this machine. Throws what `sendGet` throws. */
export async function getLocal(url: string, options: GetOptions): Promise<LocalReply> {
  const { status, headers, body } = await sendGet(url, options)
  return { status, server: [headers['server'] ?? ''].flat().join(', '), json: parseJson(body) }
}

/**
 * Gets the status document of a sidecar, or of a pod in the broker of its node: the parts that the schema has. They are
 * undefined if the reply is something else. Throws what `sendGet` throws.
 */
export async function getStatusDocument<T>(
  url: string,
  schema: z.ZodMiniType<T>,
): Promise<{ readonly status: number; readonly data: T | undefined }> {
  const { status, json } = await getLocal(url, {
    timeoutMs: STATUS_TIMEOUT_MS,
    maxBytes: MAX_STATUS_BYTES,
  })
  return { status, data: schema.safeParse(json).data }
}
