/** The routes to Entra ID: direct or through a proxy, with the certificates that are trusted. */
import { type Dispatcher, request } from 'undici'
import { onTestFinished } from 'vitest'
import type { TrustedCertificates } from '../../../src/broker/config/config.ts'
import { createExchangeDispatchers } from '../../../src/broker/exchange/dispatcher.ts'
import type { Connect } from '../../../src/lib/connect.ts'
import { Secret } from '../../../src/lib/secret.ts'

export interface Ways {
  readonly ca?: string | TrustedCertificates | undefined
  /** The URL of an HTTP proxy, or its port. */
  readonly proxy?: string | number
  readonly noProxy?: string
  readonly timeoutMs?: number
  readonly connect?: Connect
}

/** Creates a dispatcher to Entra ID, which ends with the test. */
export function toEntra({
  ca,
  proxy,
  noProxy = '',
  timeoutMs = 60_000,
  connect: open,
}: Ways): Dispatcher {
  const url = new Secret(typeof proxy === 'string' ? proxy : `http://127.0.0.1:${proxy}`)
  const settings = {
    extraCa: typeof ca === 'string' ? { pem: ca } : ca,
    tokenProxy: undefined,
    proxy: proxy === undefined ? undefined : { url, noProxy },
    timeoutMs,
  }
  const { dispatcher } = createExchangeDispatchers(settings, open)
  onTestFinished(() => dispatcher.destroy())
  return dispatcher
}

/** Returns the status that a server answers, or the error. */
export async function send(
  url: string,
  dispatcher: Dispatcher,
  signal?: AbortSignal,
): Promise<unknown> {
  try {
    const { statusCode, body } = await request(url, { dispatcher, signal: signal ?? null })
    await body.dump()
    return statusCode
  } catch (error) {
    return error
  }
}

export function formatChain(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return `${error.message} ${error.cause === undefined ? '' : formatChain(error.cause)}`
}
