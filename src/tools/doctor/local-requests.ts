/** Requests to servers of this machine. */
import type * as z from 'zod/mini'
import { errorMessage } from '../../lib/describe-error.ts'
import { parseJson } from '../../lib/json.ts'
import { type GetOptions, sendGet } from '../../lib/send-get.ts'

/** An answer, or why there was none. */
export interface LocalReply<T> {
  /** The HTTP status; undefined: there was no answer. */
  readonly status?: number
  /** The `Server` header; empty if there is none. */
  readonly server?: string
  /** The parts of the body that the schema has; undefined if it is something else. */
  readonly data?: T | undefined
  readonly error?: string
}

export const TIMEOUT_MS = 5000

/** Sends a GET to a server of this machine. */
export async function getLocal<T>(
  url: string,
  schema: z.ZodMiniType<T>,
  options: Partial<GetOptions> = {},
): Promise<LocalReply<T>> {
  try {
    const { status, headers, body } = await sendGet(url, { timeoutMs: TIMEOUT_MS, ...options })
    const server = [headers['server'] ?? ''].flat().join(', ')
    return { status, server, data: schema.safeParse(parseJson(body)).data }
  } catch (error) {
    return { error: errorMessage(error) }
  }
}
