/** Fetches the public documents of an issuer, as Entra ID does: https, no redirects, a size cap. */
import type { Dispatcher } from 'undici'
import type * as z from 'zod/mini'
import type { Config } from '../../../broker/config/config.ts'
import { createExchangeDispatchers } from '../../../broker/exchange/dispatcher.ts'
import { parseJson, readBody } from '../../../lib/json.ts'

/** How this machine reaches the internet. */
export type Network = Pick<Config['exchange'], 'proxy' | 'extraCa'>

const TIMEOUT_MS = 10_000
const MAX_BYTES = 1_048_576

/** Fetches a JSON document of this schema. Throws an error whose message is the reason if it cannot be used. */
export async function fetchDocument<T>(
  url: URL,
  schema: z.ZodMiniType<T>,
  network: Network,
): Promise<T> {
  const settings = { ...network, tokenProxy: undefined, timeoutMs: TIMEOUT_MS }
  const { dispatcher } = createExchangeDispatchers(settings)
  try {
    const document = schema.safeParse(parseJson(await get(url, dispatcher)))
    if (!document.success) throw new Error('it answered with another kind of document')
    return document.data
  } catch (error) {
    throw findCause(error)
  } finally {
    await dispatcher.destroy()
  }
}

async function get({ origin, pathname, search }: URL, dispatcher: Dispatcher): Promise<string> {
  const { statusCode, body } = await dispatcher.request({
    origin,
    path: `${pathname}${search}`,
    method: 'GET',
    signal: AbortSignal.timeout(TIMEOUT_MS),
  })
  const text = await readBody(body, MAX_BYTES, () => new Error('the document is too large'))
  if (statusCode !== 200) throw new Error(`it answered ${statusCode}`)
  return text
}

/** Returns the innermost cause. */
function findCause(error: unknown): unknown {
  return error instanceof Error && error.cause instanceof Error ? findCause(error.cause) : error
}
