/** A steady load of cached requests, by autocannon. */
import autocannon from 'autocannon'
import { HEADERS } from './callers.ts'

export interface Load {
  readonly requestsPerSecond: number
  /** The latency of each request, in milliseconds. */
  readonly latencies: readonly number[]
}

const CONNECTIONS = 16
const SAMPLE_MS = 50

/**
 * Sends this many requests over 16 keep-alive connections, as fast as they are answered. Throws if a request
 * fails. Measures the latency of each request, since autocannon's own histogram is coarser.
 */
export async function load(url: string, requests: number): Promise<Load> {
  const latencies: number[] = []
  const startedAt = performance.now()
  let endedAt = startedAt
  const run = autocannon({
    url,
    headers: HEADERS,
    connections: CONNECTIONS,
    amount: requests,
    sampleInt: SAMPLE_MS,
  })
  run.on('response', (_client: unknown, _status: number, _bytes: number, ms: number) => {
    latencies.push(ms)
    endedAt = performance.now()
  })
  const { errors, timeouts, non2xx } = await run
  if (errors + timeouts + non2xx > 0 || latencies.length !== requests) {
    throw new Error(`${errors} errors, ${timeouts} timeouts, ${non2xx} answers other than 200`)
  }
  return { requestsPerSecond: requests / ((endedAt - startedAt) / 1000), latencies }
}
