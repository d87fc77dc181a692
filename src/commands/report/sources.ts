/** Where the report comes from: sidecars' status documents, or a Prometheus that scrapes them. */
import * as z from 'zod/mini'
import { readBody } from '../../lib/read-body.ts'
import { scrubAndTruncate } from '../../secret.ts'
import { StatusSchema } from '../../telemetry/status-schema.ts'
import type { Sighting } from './rows.ts'

const TIMEOUT_MS = 10_000
const MAX_BYTES = 64 * 1024 * 1024

/** The clients of the sidecar whose admin port this is. Throws an `Error` that names the URL. */
export async function fromSidecar(url: string): Promise<Sighting[]> {
  const { workload, clients } = await fetchJson(new URL('/status.json', url), StatusSchema)
  const { host, namespace, serviceAccount } = workload
  const name = namespace === undefined ? host : `${namespace}/${serviceAccount ?? host}`
  return clients.map(({ client, version, requests, lastSeenAt }) => ({
    workload: name,
    client,
    version,
    requests,
    lastSeenAt,
  }))
}

const Vector = z.object({
  data: z.object({
    result: z.array(
      z.object({
        metric: z.record(z.string(), z.string()),
        value: z.tuple([z.number(), z.string()]),
      }),
    ),
  }),
})

/** What one sidecar's series are told apart by; `workload` is there if the scrape adds it. */
const BY = 'by (namespace, workload, pod, instance, client, version)'

/** The clients of all sidecars that a Prometheus saw within `since`, such as `7d`. */
export async function fromPrometheus(url: string, since: string): Promise<Sighting[]> {
  const query = async (expression: string) => {
    const target = new URL('api/v1/query', url.endsWith('/') ? url : `${url}/`)
    target.searchParams.set('query', expression)
    return (await fetchJson(target, Vector)).data.result
  }
  const lastSeen = await query(
    `max ${BY} (max_over_time(wimds_client_last_seen_timestamp_seconds[${since}]))`,
  )
  const requests = await query(`sum ${BY} (increase(wimds_client_requests_total[${since}]))`)
  const counts = new Map(requests.map(({ metric, value }) => [keyOf(metric), numberOf(value)]))
  return lastSeen.flatMap(({ metric, value }) => {
    const lastSeenAt = new Date((numberOf(value) ?? NaN) * 1000)
    if (Number.isNaN(lastSeenAt.getTime())) return []
    const client = metric['client'] ?? ''
    const version = metric['version'] ?? ''
    const count = Math.round(counts.get(keyOf(metric)) ?? 0)
    const seen = { client, version, requests: count, lastSeenAt: lastSeenAt.toISOString() }
    return [{ workload: workloadOf(metric), ...seen }]
  })
}

/** A sample may also be NaN or infinite, which says nothing of a client. */
function numberOf([, text]: readonly [unknown, string]): number | undefined {
  const value = Number(text)
  return Number.isFinite(value) ? value : undefined
}

function workloadOf({ namespace, workload, pod, instance }: Record<string, string>): string {
  const name = workload ?? pod ?? instance ?? 'unknown'
  return namespace === undefined ? name : `${namespace}/${name}`
}

function keyOf(metric: Record<string, string>): string {
  const names = Object.keys(metric).toSorted((a, b) => a.localeCompare(b))
  return JSON.stringify(names.map((name) => [name, metric[name]]))
}

async function fetchJson<T>(url: URL, schema: z.ZodMiniType<T>): Promise<T> {
  try {
    const response = await fetch(url, {
      redirect: 'error',
      signal: AbortSignal.timeout(TIMEOUT_MS),
    })
    const body = await readBody(response.body ?? [], MAX_BYTES, tooLong)
    if (!response.ok)
      throw new Error(`it answered ${response.status}: ${scrubAndTruncate(body, 200)}`)
    return schema.parse(JSON.parse(body))
  } catch (error) {
    throw new Error(`${url.origin}${url.pathname}: ${reasonOf(error)}`, { cause: error })
  }
}

const tooLong = () => new Error('its answer is too long')

function reasonOf(error: unknown): string {
  if (error instanceof z.core.$ZodError || error instanceof SyntaxError) {
    return 'its answer is not what was expected; is it the admin port of wimds, or a Prometheus?'
  }
  if (!(error instanceof Error)) return 'it cannot be reached'
  // fetch() says "fetch failed"; why, its cause says.
  const { cause } = error
  if (!(cause instanceof Error)) return error.message
  const code = 'code' in cause && typeof cause.code === 'string' ? cause.code : cause.message
  return `it cannot be reached (${code})`
}
