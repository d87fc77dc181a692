/** Reads the status document of a sidecar, from which doctor makes most checks. */
import * as z from 'zod/mini'
import { StatusSchema } from '../../broker/telemetry/status-schema.ts'
import { errorMessage } from '../../lib/describe-error.ts'
import { parseJson } from '../../lib/json.ts'
import { type GetOptions, sendGet } from '../../lib/send-get.ts'
import { endUnmade } from './findings.ts'

/** An answer, or why there was none. */
export interface LocalReply<T> {
  /** The HTTP status; undefined: there was no answer. */
  readonly status?: number
  /** The parts of the body that the schema has; undefined for another body. */
  readonly data?: T | undefined
  readonly error?: string
}

const TIMEOUT_MS = 5000

/** Sends a GET to a server of this machine. */
export async function getLocal<T>(
  url: string,
  schema: z.ZodMiniType<T>,
  options: Partial<GetOptions> = {},
): Promise<LocalReply<T>> {
  try {
    const { status, body } = await sendGet(url, { timeoutMs: TIMEOUT_MS, ...options })
    return { status, data: schema.safeParse(parseJson(body)).data }
  } catch (error) {
    return { error: errorMessage(error) }
  }
}

/** The longest status document that is read. */
const MAX_STATUS_BYTES = 16 * 1024 * 1024

/** The parts of a status document that doctor reads. A sidecar of another version may write the others in another form. */
const Status = z.pick(StatusSchema, {
  generatedAt: true,
  startedAt: true,
  clockSkewSeconds: true,
  identities: true,
  assertions: true,
  tokens: true,
  failedRequests: true,
  problems: true,
  settings: true,
  warnings: true,
})
export type ReportedStatus = z.infer<typeof Status>

type Token = Pick<
  ReportedStatus['tokens'][number],
  'identity' | 'clientId' | 'resource' | 'failure'
>

/** The parts of a status document that the checks of tokens read. */
export interface TokenStatus extends Pick<
  ReportedStatus,
  'generatedAt' | 'clockSkewSeconds' | 'identities' | 'assertions'
> {
  readonly tokens: readonly (Token & { cached?: { expiresAt: string } | undefined })[]
}

/**
 * Reads the status document of a sidecar, or of a pod in the broker of its node. Returns undefined if the server answers
 * 404. Ends the check as not made if the server does not answer, or with another document.
 */
export async function readStatus(
  url: string,
  ...details: string[]
): Promise<ReportedStatus | undefined> {
  const limits = { timeoutMs: 2 * TIMEOUT_MS, maxBytes: MAX_STATUS_BYTES }
  const { status, data, error } = await getLocal(url, Status, limits)
  if (data !== undefined || status === 404) return data
  const answer = `answered ${status}, but with no status of this version`
  const reason = error === undefined ? answer : `does not answer (${error})`
  return endUnmade(`${url} ${reason}`, ...details)
}
