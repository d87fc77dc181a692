import { readFile } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { BrokerError } from '../../src/errors.ts'
import { WEBHOOK_METRICS } from '../../src/kubernetes/webhook/metrics.ts'
import { type MetricDefinition, METRICS } from '../../src/telemetry/metric-catalogue.ts'
import { aToken, ORDERS } from '../fixtures/parts.ts'
import { exchange, failing, held, observe, reply, TOKEN_FILE, VAULT } from './observed.ts'
import { metricNames, samplesOf } from './scraped.ts'

type Observed = ReturnType<typeof observe>
const scraped = async ({ scrape }: Observed) => samplesOf((await scrape()).body)

const requestsOf = (code: string, client: string) =>
  `wimds_requests_total{dialect="imds",code="${code}",client="${client}"}`

/** A sidecar to which everything has happened. */
function busy(): Observed {
  const observed = observe({ entries: [held()], burst: 0 })
  observed.onReply(reply({ error: new BrokerError('identity_not_found', 'no') }))
  observed.onReply(reply({ error: new BrokerError('identity_not_found', 'no') }))
  observed.onResult('hit')
  observed.onExchange(exchange())
  observed.onSkew(0)
  return observed
}

describe('what requests count', () => {
  test('is kept by dialect, code and client family', async () => {
    const observed = observe()
    observed.onReply(reply())
    observed.onReply(reply())
    const error = new BrokerError('identity_not_found', 'Identity not found')
    observed.onReply(reply({ status: 400, error, headers: {} }))
    const samples = await scraped(observed)
    expect(samples.get(requestsOf('ok', 'python-azure-identity'))).toBe(2)
    expect(samples.get(requestsOf('identity_not_found', 'none'))).toBe(1)
  })

  test('is kept by client version, with when it last called', async () => {
    const observed = observe()
    observed.onReply(reply())
    const samples = await scraped(observed)
    const labels = '{client="python-azure-identity",version="1.5.0"}'
    expect(samples.get(`wimds_client_requests_total${labels}`)).toBe(1)
    expect(samples.get(`wimds_client_last_seen_timestamp_seconds${labels}`)).toBe(
      Date.UTC(2026, 10, 24, 12) / 1000,
    )
  })

  test('grows by no more series than there may be clients, whatever callers invent', async () => {
    const observed = observe()
    for (let patch = 0; patch < 1000; patch += 1) {
      const agent = `azsdk-go-azidentity/v1.0.${patch} (go1.18; linux)`
      observed.onReply(reply({ headers: { 'user-agent': agent } }))
    }
    const series = [...(await scraped(observed))].filter(([name]) =>
      name.startsWith('wimds_client_requests'),
    )
    expect(series.length).toBeLessThanOrEqual(101)
    expect(series.reduce((sum, [, value]) => sum + value, 0)).toBe(1000)
    expect(series.find(([name]) => name.includes('version="other"'))?.[1]).toBeGreaterThan(800)
  })
})

describe('what exchanges count', () => {
  test('is a histogram of their time by outcome', async () => {
    const observed = observe()
    observed.onExchange(exchange({ durationMs: 120 }))
    observed.onExchange(exchange({ durationMs: 200 }))
    observed.onExchange(exchange({ durationMs: 30_000 }))
    const samples = await scraped(observed)
    const bucket = (le: string) =>
      samples.get(`wimds_exchange_duration_seconds_bucket{code="ok",le="${le}"}`)
    expect([bucket('0.1'), bucket('0.2'), bucket('10'), bucket('+Inf')]).toEqual([0, 2, 2, 3])
    expect(samples.get('wimds_exchange_duration_seconds_sum{code="ok"}')).toBeCloseTo(30.32)
    expect(samples.get('wimds_exchange_duration_seconds_count{code="ok"}')).toBe(3)
  })

  test('tells errors apart by their code', async () => {
    const observed = observe()
    const error = new BrokerError('entra_timeout', 'too slow')
    observed.onExchange(exchange({ outcome: { ok: false, error } }))
    expect(
      (await scraped(observed)).get('wimds_exchange_duration_seconds_count{code="entra_timeout"}'),
    ).toBe(1)
  })
})

describe('what is held', () => {
  test('is counted, with the life that is left to each token', async () => {
    const samples = await scraped(
      observe({ entries: [held(), failing('federated_credential_not_found', 3)] }),
    )
    expect(samples.get('wimds_tokens_cached')).toBe(1)
    expect(samples.get('wimds_tokens_failing')).toBe(1)
    expect(samples.get('wimds_exchange_consecutive_failures{identity="orders"}')).toBe(3)
    const remaining =
      'wimds_token_remaining_seconds{identity="orders",resource="https://vault.azure.net"}'
    expect(samples.get(remaining)).toBe(3600)
  })

  test('shows the names of the configuration only; the rest is other, by its shortest life', async () => {
    const invented = Array.from({ length: 500 }, (_, index) =>
      held({
        request: {
          identity: { ...ORDERS, name: `client-${index}` },
          scope: `https://${index}.example/.default`,
        },
        token: { ...aToken(), expiresAtMonotonic: 1000 * (index + 60) },
      }),
    )
    const samples = [...(await scraped(observe({ entries: invented })))]
    expect(samples.filter(([name]) => name.startsWith('wimds_token_remaining_seconds'))).toEqual([
      ['wimds_token_remaining_seconds{identity="other",resource="other"}', 60],
    ])
  })

  test('escapes what a configuration may hold', async () => {
    const identity = { ...ORDERS, name: 'a"b\\c\nd', prefetch: ['https://vault.azure.net'] }
    const entries = [held({ request: { identity, scope: VAULT } })]
    const { scrape } = observe({ entries, directory: { identities: [identity] } })
    expect((await scrape()).body).toContain(String.raw`identity="a\"b\\c\nd"`)
  })
})

describe('the projected token', () => {
  test('has its life shown', async () => {
    const samples = await scraped(observe())
    expect(samples.get(`wimds_assertion_readable{file="${TOKEN_FILE}"}`)).toBe(1)
    expect(samples.get(`wimds_assertion_remaining_seconds{file="${TOKEN_FILE}"}`)).toBe(1800)
  })

  test('has no life while it cannot be read', async () => {
    const error = new BrokerError('assertion_missing', 'there is none')
    const samples = await scraped(observe({ assertion: { ok: false, error } }))
    expect(samples.get(`wimds_assertion_readable{file="${TOKEN_FILE}"}`)).toBe(0)
    expect([...samples.keys()].filter((name) => name.includes('assertion_remaining'))).toEqual([])
  })
})

describe('the state of the sidecar', () => {
  test('leaves the skew out until it is known', async () => {
    const observed = observe()
    expect((await observed.scrape()).body).not.toContain('wimds_clock_skew_seconds')
    observed.onSkew(-2500)
    expect((await scraped(observed)).get('wimds_clock_skew_seconds')).toBe(-2.5)
  })

  test('keeps the moment of the configuration in force over a failed reload', async () => {
    const observed = observe()
    const before = (await scraped(observed)).get('wimds_config_last_reload_timestamp_seconds')
    observed.onReload(false)
    const samples = await scraped(observed)
    expect(samples.get('wimds_config_last_reload_successful')).toBe(0)
    expect(samples.get('wimds_config_last_reload_timestamp_seconds')).toBe(before)
    observed.onReload(true)
    expect((await scraped(observed)).get('wimds_config_last_reload_successful')).toBe(1)
  })

  test('tells of the process', async () => {
    const samples = await scraped(observe())
    expect(samples.get('process_resident_memory_bytes')).toBeGreaterThan(10_000_000)
    expect(samples.get('process_cpu_seconds_total')).toBeGreaterThan(0)
    expect(samples.get('process_start_time_seconds')).toBeLessThan(Date.now() / 1000)
    expect(samples.get('nodejs_heap_used_bytes')).toBeGreaterThan(1_000_000)
    expect(samples.get('wimds_event_loop_lag_seconds')).toBe(0)
    expect(samples.get('wimds_ready')).toBe(1)
  })
})

describe('the catalogue', () => {
  test('is what a scrape gives, no more and no less', async () => {
    expect([...metricNames((await busy().scrape()).body)]).toEqual(Object.keys(METRICS))
  })

  test.each([
    ['the sidecar', 0, METRICS],
    ['the webhook', 1, WEBHOOK_METRICS],
  ])('of %s is what docs/metrics.md lists', async (_, section, metrics) => {
    const sections = (await readFile('docs/metrics.md', 'utf8')).split('## The webhook')
    const listed = sections[section] ?? ''
    const rows = [...listed.matchAll(/^\| `(\w+)`\s*\| (\w+)\s*\| (.*?)\s*\| (.*?)\s*\|$/gm)].map(
      ([, name, type, labels, help]) => ({ name, type, labels, help }),
    )
    expect(rows).toEqual(
      Object.entries<MetricDefinition>(metrics).map(([name, { type, labels, help }]) => ({
        name,
        type,
        labels: labels.map((label) => `\`${label}\``).join(', '),
        help,
      })),
    )
  })
})
