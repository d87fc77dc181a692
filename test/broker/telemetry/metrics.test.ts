import { expect, test } from 'vitest'
import { BrokerError, listCodes } from '../../../src/lib/errors.ts'
import { computeExpiry } from '../../../src/broker/tokens/lifetime.ts'
import { aToken, NOW, ORDERS } from '../../fixtures/parts.ts'
import { cached, exchange, failing, observe, reply, TOKEN_FILE } from './observed.ts'
import { parseSamples } from '../../service/scraped.ts'

type Observed = ReturnType<typeof observe>
const scrape = async (observed: Observed) => parseSamples(await observed.scrape())

/** Returns the values of the series whose names begin so. */
const seriesOf = (samples: ReadonlyMap<string, number>, name: string) =>
  Object.fromEntries([...samples].filter(([series]) => series.startsWith(name)))

test('requests are counted by protocol, code and client library, and their duration by outcome', async () => {
  const observed = observe()
  const error = new BrokerError('identity_not_found', 'Identity not found')
  observed.onReply(reply({ durationMs: 20 }))
  observed.onReply(reply({ durationMs: 20 }))
  observed.onReply(reply({ status: 400, error, headers: {} }))
  observed.onReply(reply({ status: 503, error: new BrokerError('entra_tls', 'x') }))
  const samples = await scrape(observed)
  expect(seriesOf(samples, 'wimds_requests_total')).toEqual({
    'wimds_requests_total{protocol="imds",code="ok",client="python-azure-identity"}': 2,
    'wimds_requests_total{protocol="imds",code="identity_not_found",client="none"}': 1,
    'wimds_requests_total{protocol="imds",code="entra_tls",client="python-azure-identity"}': 1,
  })
  const client = '{client="python-azure-identity",version="1.5.0"}'
  expect(Object.fromEntries(samples)).toMatchObject({
    'wimds_request_duration_seconds_bucket{le="0.005",protocol="imds",outcome="success"}': 0,
    'wimds_request_duration_seconds_bucket{le="0.025",protocol="imds",outcome="success"}': 2,
    'wimds_request_duration_seconds_sum{protocol="imds",outcome="success"}': 0.04,
    'wimds_request_duration_seconds_count{protocol="imds",outcome="client_error"}': 1,
    'wimds_request_duration_seconds_count{protocol="imds",outcome="server_error"}': 1,
    [`wimds_client_requests_total${client}`]: 3,
    [`wimds_client_last_seen_timestamp_seconds${client}`]: NOW / 1000,
  })
})

test('client series are bounded, whatever callers send', async () => {
  const observed = observe()
  for (let patch = 0; patch < 1000; patch += 1) {
    const agent = `azsdk-go-azidentity/v1.0.${patch} ${'x'.repeat(patch)}`
    observed.onReply(reply({ headers: { 'user-agent': agent } }))
  }
  const series = Object.entries(seriesOf(await scrape(observed), 'wimds_client_requests'))
  expect(series.length).toBeLessThanOrEqual(101)
  expect(series.reduce((sum, [, value]) => sum + value, 0)).toBe(1000)
  expect(series.find(([name]) => name.includes('version="other"'))?.[1]).toBeGreaterThan(800)
})

test('exchanges are counted by code, refreshes of a cached token by outcome, and attempts apart', async () => {
  const observed = observe()
  const error = new BrokerError('entra_timeout', 'too slow')
  observed.onExchange(exchange({ durationMs: 120 }))
  observed.onExchange(exchange({ durationMs: 30_000, cachedTtlMs: 1 }))
  observed.onExchange(exchange({ outcome: { ok: false, error } }))
  observed.onExchange(exchange({ cachedTtlMs: 1, outcome: { ok: false, error } }))
  observed.onAttempt('entra_unavailable')
  expect(Object.fromEntries(await scrape(observed))).toMatchObject({
    'wimds_exchange_duration_seconds_bucket{le="0.1",code="ok"}': 0,
    'wimds_exchange_duration_seconds_bucket{le="0.2",code="ok"}': 1,
    'wimds_exchange_duration_seconds_bucket{le="+Inf",code="ok"}': 2,
    'wimds_exchange_duration_seconds_sum{code="ok"}': 30.12,
    'wimds_exchange_duration_seconds_count{code="entra_timeout"}': 2,
    'wimds_token_refreshes_total{outcome="success"}': 1,
    'wimds_token_refreshes_total{outcome="failure"}': 1,
    'wimds_exchange_attempts_total{code="ok"}': 0,
    'wimds_exchange_attempts_total{code="entra_unavailable"}': 1,
  })
})

// An alert on the increase of a counter misses the first one otherwise.
test.each([
  ...['hit', 'miss', 'coalesced', 'negative_hit', 'bypass'].map(
    (result) => `wimds_token_cache_results_total{result="${result}"}`,
  ),
  'wimds_token_refreshes_total{outcome="success"}',
  'wimds_token_refreshes_total{outcome="failure"}',
  ...['ok', 'assertion_expired', ...listCodes('exchange')].map(
    (code) => `wimds_exchange_attempts_total{code="${code}"}`,
  ),
  'wimds_exchange_duration_seconds_count{code="ok"}',
  'wimds_request_duration_seconds_count{protocol="imds",outcome="server_error"}',
  'wimds_log_lines_dropped_total{event="request_rejected"}',
])('a series with known labels starts at 0: %s', async (series) => {
  expect((await scrape(observe())).get(series)).toBe(0)
})

const labels = (resource: string) => `{identity="orders",resource="${resource}"}`

test('tokens have their expiry, and failing ones are counted', async () => {
  const storage = { request: { identity: ORDERS, scope: 'https://storage.azure.com/.default' } }
  const entries = [
    cached(),
    failing('entra_timeout', 3, { ...storage, token: aToken(undefined, 60_000) }),
    failing('entra_timeout', 1, storage),
  ]
  const samples = await scrape(observe({ entries }))
  expect({
    ...seriesOf(samples, 'wimds_tokens'),
    ...seriesOf(samples, 'wimds_exchange_consecutive'),
    ...seriesOf(samples, 'wimds_token_expiry'),
    ...seriesOf(samples, 'wimds_failing_token'),
  }).toEqual({
    wimds_tokens_failing: 2,
    'wimds_exchange_consecutive_failures{identity="orders"}': 3,
    [`wimds_token_expiry_timestamp_seconds${labels('https://vault.azure.net')}`]: NOW / 1000 + 3600,
    [`wimds_token_expiry_timestamp_seconds${labels('other')}`]: NOW / 1000 + 60,
    [`wimds_failing_token_expiry_timestamp_seconds${labels('other')}`]: NOW / 1000 + 60,
  })
})

test('tokens have labels from the configuration only; the earliest expiry stands for all others', async () => {
  const invented = Array.from({ length: 500 }, (_, index) =>
    cached({
      request: {
        identity: { ...ORDERS, name: `client-${index}` },
        scope: `https://${index}.example/.default`,
      },
      token: aToken(undefined, 1000 * (index + 60)),
    }),
  )
  const samples = await scrape(observe({ entries: invented }))
  expect(seriesOf(samples, 'wimds_token_expiry')).toEqual({
    'wimds_token_expiry_timestamp_seconds{identity="other",resource="other"}': NOW / 1000 + 60,
  })
})

test('a projected token has its expiry, unless it cannot be read', async () => {
  expect(seriesOf(await scrape(observe()), 'wimds_assertion')).toEqual({
    [`wimds_assertion_readable{file="${TOKEN_FILE}"}`]: 1,
    [`wimds_assertion_expiry_timestamp_seconds{file="${TOKEN_FILE}"}`]: NOW / 1000 + 1800,
  })
  const error = new BrokerError('assertion_missing', 'there is no file')
  const unread = observe({ assertion: { ok: false, error, since: 0 } })
  expect(seriesOf(await scrape(unread), 'wimds_assertion')).toEqual({
    [`wimds_assertion_readable{file="${TOKEN_FILE}"}`]: 0,
  })
})

test.each([-10, 2])('times are right after the clock was set by %i h', async (hours) => {
  let stepMs = 0
  const clock = { wall: () => NOW + stepMs, monotonic: () => 0 }
  const token = aToken(undefined, 86_400_000)
  const observed = observe({ clock, entries: [cached({ token })] })
  observed.onReply(reply())
  expect((await scrape(observed)).has('wimds_clock_skew_seconds')).toBe(false)
  observed.onSkew(-2500)
  stepMs = hours * 3_600_000
  const samples = await scrape(observed)
  expect(samples.get('wimds_clock_skew_seconds')).toBe(hours * 3600 - 2.5)
  expect([...samples]).toEqual(
    expect.arrayContaining([
      [
        expect.stringContaining('wimds_token_expiry_timestamp_seconds{'),
        computeExpiry(token.lifetime, clock).expiresOn,
      ],
      [expect.stringContaining('wimds_client_last_seen'), (NOW + stepMs) / 1000],
    ]),
  )
})

test('the process has the metrics of prom-client under their names', async () => {
  const samples = await scrape(observe())
  expect(samples.get('process_resident_memory_bytes')).toBeGreaterThan(10_000_000)
  expect(samples.get('process_cpu_seconds_total')).toBeGreaterThan(0)
  // prom-client rounds it to whole seconds.
  expect(samples.get('process_start_time_seconds')).toBeLessThan(Date.now() / 1000 + 1)
  expect(samples.get('process_open_fds')).toBeGreaterThan(2)
  expect(samples.get('nodejs_heap_size_used_bytes')).toBeGreaterThan(1_000_000)
  expect(samples.get('wimds_ready')).toBe(1)
})

test('the lag of an event loop that is blocked during the scrape is measured', async () => {
  const scraped = observe().scrape()
  const blockedUntil = performance.now() + 50
  while (performance.now() < blockedUntil);
  const samples = parseSamples(await scraped)
  expect(samples.get('nodejs_eventloop_lag_seconds')).toBeGreaterThan(0.045)
})
