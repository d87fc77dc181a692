/** The sources of the report: status documents of sidecars, or a Prometheus that scrapes them. */
import { get } from 'node:https'
import * as z from 'zod/mini'
import { errorCode, errorMessage } from '../../lib/describe-error.ts'
import { scrubAndTruncate, type Secret } from '../../lib/secret.ts'
import { formatProblem } from '../../lib/errors.ts'
import { sendGet } from '../../lib/send-get.ts'
import { DEFAULT_ADMIN_PORT } from '../../lib/sidecar-interface.ts'
import { formatWorkload } from '../../broker/telemetry/describe.ts'
import { list, StatusSchema } from '../../broker/telemetry/status-schema.ts'
import type { Sighting } from './rows.ts'

const TIMEOUT_MS = 10_000
const MAX_BYTES = 64 * 1024 * 1024

/** The report of one source. Its scope names the sidecars and the period, such as `2 sidecars in the last 7d`. */
export type Sightings = Awaited<ReturnType<typeof fetchFromPrometheus>>

const { shape } = StatusSchema

/**
 * The members of a status document that the report needs. The others are not checked, because a sidecar of another version may
 * write them differently.
 */
const SidecarDocument = z.object({
  workload: z.pick(shape.workload, { host: true, namespace: true, serviceAccount: true }),
  startedAt: shape.startedAt,
  clients: list(
    z.pick(shape.clients.def.out.def.element, {
      client: true,
      version: true,
      requests: true,
      lastSeenAt: true,
    }),
  ),
})

/** Fetches the clients of the sidecar with this admin port. Throws an `Error` that names the URL. */
export async function fetchFromSidecar(url: string): Promise<Sightings> {
  const target = new URL('/status.json', url)
  // The query names the pod of a broker.
  target.search = new URL(url).search
  const { workload, startedAt, clients } = await fetchJson(target, SidecarDocument, SIDECAR_FIXES)
  const name = formatWorkload(workload)
  const sightings = clients.map((client) => ({ workload: name, ...client }))
  return { sightings, scope: `the sidecar of ${name} since its start, ${formatMinute(startedAt)}` }
}

/** Formats an ISO 8601 time of UTC for people. */
export function formatMinute(instant: string): string {
  return `${instant.slice(0, 16).replace('T', ' ')} UTC`
}

const SIDECAR_FIXES: Fixes = {
  connect: `make the sidecar's admin port, by default ${DEFAULT_ADMIN_PORT}, reachable from here, for example by kubectl port-forward pod/POD ${DEFAULT_ADMIN_PORT}, and name it by --url`,
  format: `give the URL of a sidecar's admin port, by default http://127.0.0.1:${DEFAULT_ADMIN_PORT}, or of the node agent with a pod: http://127.0.0.1:9441/?pod=NAMESPACE/POD`,
}

const Sample = z.object({
  metric: z.record(z.string(), z.string()),
  value: z.tuple([z.number(), z.string()]),
})
type Sample = z.infer<typeof Sample>

const Vector = z.object({ data: z.object({ result: z.array(Sample) }) })

/**
 * The labels of one client of a sidecar, or of a service account whose pods a broker answers. Only some scrape configurations
 * add `workload`.
 */
const BY = 'by (namespace, workload, service_account, pod, instance, client, version)'

/**
 * Fetches the clients of all sidecars that a Prometheus scraped within `since`, such as `7d`. Sends the token to it. Throws an
 * `Error` that names the URL, also if it scraped no sidecar: an empty report would then be wrong.
 */
export async function fetchFromPrometheus(url: string, since: string, token: Secret | undefined) {
  const query = async (expression: string) => {
    const target = new URL('api/v1/query', url.endsWith('/') ? url : `${url}/`)
    target.searchParams.set('query', expression)
    return (await fetchJson(target, Vector, PROMETHEUS_FIXES, token)).data.result
  }
  const scraped = await query(
    `count(count by (namespace, pod, instance) (max_over_time(wimds_build_info[${since}])))`,
  )
  const sidecars = scraped.reduce((sum, { value }) => sum + (parseSample(value) ?? 0), 0)
  if (sidecars === 0) {
    throw new Error(
      `${url}: this Prometheus has scraped no sidecar in the last ${since}. Fix: let it scrape the admin ports (podMonitor.enabled=true of the chart), or name the Prometheus that does`,
    )
  }
  const lastSeen = await query(
    `max ${BY} (max_over_time(wimds_client_last_seen_timestamp_seconds[${since}]))`,
  )
  const requests = await query(`sum ${BY} (increase(wimds_client_requests_total[${since}]))`)
  // `createRows` merges both.
  const sightings = [
    ...lastSeen.map((sample) => ({ ...readClient(sample), lastSeenAt: parseTime(sample.value) })),
    ...requests.map((sample) => ({
      ...readClient(sample),
      requests: Math.round(parseSample(sample.value) ?? 0),
    })),
  ]
  const count = `${sidecars} sidecar${sidecars === 1 ? '' : 's'}`
  return { sightings, scope: `${count} in the last ${since}` }
}

/** Parses the value of a sample; undefined if it is NaN or infinite. */
function parseSample([, text]: readonly [unknown, string]): number | undefined {
  const value = Number(text)
  return Number.isFinite(value) ? value : undefined
}

/** Formats a sample of seconds as ISO 8601; empty if it is no time. */
function parseTime(value: readonly [unknown, string]): string {
  const time = new Date((parseSample(value) ?? NaN) * 1000)
  return Number.isNaN(time.getTime()) ? '' : time.toISOString()
}

function readClient({ metric }: Sample): Sighting {
  const { namespace, service_account: account, workload, pod, instance } = metric
  const { client = '', version = '' } = metric
  const name = account ?? workload ?? pod ?? instance ?? 'unknown'
  const path = namespace === undefined ? name : `${namespace}/${name}`
  return { workload: path, client, version, requests: 0, lastSeenAt: '' }
}

const PROMETHEUS_FIXES: Fixes = {
  connect:
    'make it reachable from here, for example by kubectl port-forward service/PROMETHEUS 9090, or name another address by --prometheus',
  format: 'give the URL of a Prometheus, with the path before /api/v1 if it has one',
  refusal: `set PROMETHEUS_TOKEN to a token that may read it, for Azure Monitor to the output of az account get-access-token --resource https://prometheus.monitor.azure.com --query accessToken --output tsv (role Monitoring Data Reader)`,
}

/** The fix for a source, by the step that failed. */
interface Fixes {
  readonly connect: string
  readonly format: string
  readonly refusal?: string
}

async function fetchJson<T>(
  url: URL,
  schema: z.ZodMiniType<T>,
  fixes: Fixes,
  token?: Secret,
): Promise<T> {
  try {
    const { status, body } = await sendGet(url.href, {
      timeoutMs: TIMEOUT_MS,
      maxBytes: MAX_BYTES,
      send: url.protocol === 'https:' ? get : undefined,
      headers: token ? { authorization: `Bearer ${token.reveal()}` } : {},
    })
    if (status === 200) return schema.parse(JSON.parse(body))
    const text = scrubAndTruncate(token?.redactIn(body) ?? body, 200)
    const fix =
      status === 404 ? fixes.format : /^40[13]$/.test(`${status}`) ? fixes.refusal : undefined
    const problem = `HTTP status ${status}: ${text.replaceAll(/\s+/g, ' ').trim()}`
    throw new Error(formatProblem({ problem, fix }))
  } catch (error) {
    throw new Error(`${url.origin}${url.pathname}: ${describeGetError(error, fixes)}`, {
      cause: error,
    })
  }
}

function describeGetError(error: unknown, fixes: Fixes): string {
  if (error instanceof z.core.$ZodError || error instanceof SyntaxError) {
    return `the response has an unexpected format. Fix: ${fixes.format}`
  }
  const code = errorCode(error)
  if (code === undefined) return errorMessage(error)
  if (/wrong version number/.test(errorMessage(error))) return 'has no TLS. Fix: write http://'
  return `cannot connect (${code}). Fix: ${fixes.connect}`
}
