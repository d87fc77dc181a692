import { describe, expect, test } from 'vitest'
import { BrokerError } from '../../../src/lib/errors.ts'
import { AADSTS_TABLE, DEFAULT_FIXES } from '../../../src/broker/aadsts.ts'
import { computeExpiry } from '../../../src/broker/tokens/lifetime.ts'
import { aToken, NOW, ORDERS } from '../../fixtures/parts.ts'
import { cached, exchange, failing, observe, reply, TOKEN_FILE, VAULT } from './observed.ts'
import { parseSamples } from '../../service/scraped.ts'

type Observed = ReturnType<typeof observe>
const scrape = async (observed: Observed) => parseSamples(await observed.scrape())

const requests = (code: string, client: string) =>
  `wimds_requests_total{protocol="imds",code="${code}",client="${client}"}`

describe('request metrics', () => {
  test('count requests by protocol, code and client library', async () => {
    const observed = observe()
    observed.onReply(reply())
    observed.onReply(reply())
    const error = new BrokerError('identity_not_found', 'Identity not found')
    observed.onReply(reply({ status: 400, error, headers: {} }))
    const samples = await scrape(observed)
    expect(samples.get(requests('ok', 'python-azure-identity'))).toBe(2)
    expect(samples.get(requests('identity_not_found', 'none'))).toBe(1)
  })

  test.each([
    [200, 'success'],
    [404, 'client_error'],
    [503, 'server_error'],
  ])('observe the duration of a reply %i as %s', async (status, outcome) => {
    const observed = observe()
    observed.onReply(reply({ status, durationMs: 20 }))
    const samples = await scrape(observed)
    const series = (suffix: string, le = '') =>
      samples.get(
        `wimds_request_duration_seconds_${suffix}{${le}protocol="imds",outcome="${outcome}"}`,
      )
    expect(series('count')).toBe(1)
    expect(series('sum')).toBe(0.02)
    expect(series('bucket', 'le="0.005",')).toBe(0)
    expect(series('bucket', 'le="0.025",')).toBe(1)
  })

  test('count client versions and the time of the last request', async () => {
    const observed = observe()
    observed.onReply(reply())
    const samples = await scrape(observed)
    const labels = '{client="python-azure-identity",version="1.5.0"}'
    expect(samples.get(`wimds_client_requests_total${labels}`)).toBe(1)
    expect(samples.get(`wimds_client_last_seen_timestamp_seconds${labels}`)).toBe(NOW / 1000)
  })

  test('have a bounded number of client series, whatever callers send', async () => {
    const observed = observe()
    for (let patch = 0; patch < 1000; patch += 1) {
      const agent = `azsdk-go-azidentity/v1.0.${patch} ${'x'.repeat(patch)}`
      observed.onReply(reply({ headers: { 'user-agent': agent } }))
    }
    const series = [...(await scrape(observed))].filter(([name]) =>
      name.startsWith('wimds_client_requests'),
    )
    expect(series.length).toBeLessThanOrEqual(101)
    expect(series.reduce((sum, [, value]) => sum + value, 0)).toBe(1000)
    expect(series.find(([name]) => name.includes('version="other"'))?.[1]).toBeGreaterThan(800)
  })
})

describe('exchange metrics', () => {
  test('observe the duration by error code', async () => {
    const observed = observe()
    observed.onExchange(exchange({ durationMs: 120 }))
    observed.onExchange(exchange({ durationMs: 200 }))
    observed.onExchange(exchange({ durationMs: 30_000 }))
    const error = new BrokerError('entra_timeout', 'too slow')
    observed.onExchange(exchange({ outcome: { ok: false, error } }))
    const samples = await scrape(observed)
    const bucket = (le: string) =>
      samples.get(`wimds_exchange_duration_seconds_bucket{le="${le}",code="ok"}`)
    expect([bucket('0.1'), bucket('0.2'), bucket('10'), bucket('+Inf')]).toEqual([0, 2, 2, 3])
    expect(samples.get('wimds_exchange_duration_seconds_sum{code="ok"}')).toBeCloseTo(30.32)
    expect(samples.get('wimds_exchange_duration_seconds_count{code="entra_timeout"}')).toBe(1)
  })

  test('count the refreshes of a cached token by outcome, and no first exchange', async () => {
    const observed = observe()
    observed.onExchange(exchange())
    observed.onExchange(exchange({ cachedTtlMs: 1 }))
    const error = new BrokerError('entra_timeout', 'too slow')
    observed.onExchange(exchange({ cachedTtlMs: 1, outcome: { ok: false, error } }))
    const samples = await scrape(observed)
    expect(samples.get('wimds_token_refreshes_total{outcome="success"}')).toBe(1)
    expect(samples.get('wimds_token_refreshes_total{outcome="failure"}')).toBe(1)
  })

  test('count attempts apart from exchanges', async () => {
    const observed = observe()
    observed.onAttempt('entra_unavailable')
    observed.onAttempt('ok')
    const samples = await scrape(observed)
    expect(samples.get('wimds_exchange_attempts_total{code="ok"}')).toBe(1)
    expect(samples.get('wimds_exchange_attempts_total{code="entra_unavailable"}')).toBe(1)
  })
})

describe('counters with known labels', () => {
  test.each([
    ...['hit', 'miss', 'coalesced', 'negative_hit', 'bypass'].map(
      (result) => `wimds_token_cache_results_total{result="${result}"}`,
    ),
    'wimds_token_refreshes_total{outcome="success"}',
    'wimds_token_refreshes_total{outcome="failure"}',
    ...[
      'ok',
      'assertion_expired',
      'entra_host_not_allowed',
      'token_proxy_forbidden',
      ...Object.keys(DEFAULT_FIXES),
      ...new Set([...AADSTS_TABLE.values()].map(({ code }) => code)),
    ].map((code) => `wimds_exchange_attempts_total{code="${code}"}`),
    'wimds_exchange_duration_seconds_count{code="ok"}',
    'wimds_request_duration_seconds_count{protocol="imds",outcome="server_error"}',
    'wimds_log_lines_dropped_total{event="request_rejected"}',
  ])('start at 0: %s', async (series) => {
    expect((await scrape(observe())).get(series)).toBe(0)
  })
})

describe('token metrics', () => {
  test('count failing tokens, and give the expiry of cached ones', async () => {
    const entries = [cached(), failing('federated_credential_not_found', 3)]
    const samples = await scrape(observe({ entries }))
    expect(samples.get('wimds_tokens_failing')).toBe(1)
    expect(samples.get('wimds_exchange_consecutive_failures{identity="orders"}')).toBe(3)
    const expiry =
      'wimds_token_expiry_timestamp_seconds{identity="orders",resource="https://vault.azure.net"}'
    expect(samples.get(expiry)).toBe(NOW / 1000 + 3600)
  })

  test('give the expiry of a cached token whose refresh fails, and of no other', async () => {
    const storage = { request: { identity: ORDERS, scope: 'https://storage.azure.com/.default' } }
    const expiringSoon = { token: aToken(undefined, 60_000) }
    const samples = await scrape(
      observe({
        entries: [
          cached(),
          failing('entra_timeout', 3, { ...storage, ...expiringSoon }),
          failing('entra_timeout', 3, storage),
        ],
      }),
    )
    const name = 'wimds_failing_token_expiry_timestamp_seconds'
    expect([...samples].filter(([series]) => series.startsWith(name))).toEqual([
      [`${name}{identity="orders",resource="other"}`, NOW / 1000 + 60],
    ])
  })

  test('have labels from the configuration only; the earliest expiry stands for all others', async () => {
    const invented = Array.from({ length: 500 }, (_, index) =>
      cached({
        request: {
          identity: { ...ORDERS, name: `client-${index}` },
          scope: `https://${index}.example/.default`,
        },
        token: aToken(undefined, 1000 * (index + 60)),
      }),
    )
    const samples = [...(await scrape(observe({ entries: invented })))]
    expect(samples.filter(([name]) => name.startsWith('wimds_token_expiry'))).toEqual([
      ['wimds_token_expiry_timestamp_seconds{identity="other",resource="other"}', NOW / 1000 + 60],
    ])
  })

  test('escape names of the configuration', async () => {
    const identity = { ...ORDERS, name: 'a"b\\c\nd', prefetch: ['https://vault.azure.net'] }
    const entries = [cached({ request: { identity, scope: VAULT } })]
    const body = await observe({ entries, directory: { identities: [identity] } }).scrape()
    expect(body).toContain(String.raw`identity="a\"b\\c\nd"`)
  })
})

describe('projected-token metrics', () => {
  test('give the expiry of a readable token', async () => {
    const samples = await scrape(observe())
    expect(samples.get(`wimds_assertion_readable{file="${TOKEN_FILE}"}`)).toBe(1)
    expect(samples.get(`wimds_assertion_expiry_timestamp_seconds{file="${TOKEN_FILE}"}`)).toBe(
      NOW / 1000 + 1800,
    )
  })

  test('give no expiry of an unreadable token', async () => {
    const error = new BrokerError('assertion_missing', 'there is no file')
    const samples = await scrape(observe({ assertion: { ok: false, error, since: 0 } }))
    expect(samples.get(`wimds_assertion_readable{file="${TOKEN_FILE}"}`)).toBe(0)
    expect([...samples.keys()].filter((name) => name.includes('assertion_expiry'))).toEqual([])
  })
})

describe('state metrics', () => {
  test.each([-10, -2, 2, 10])('are right after the clock was set by %i h', async (hours) => {
    let stepMs = 0
    const clock = { wall: () => NOW + stepMs, monotonic: () => 0 }
    const entries = [cached({ token: aToken(undefined, 86_400_000) })]
    const observed = observe({ clock, entries })
    observed.onReply(reply())
    observed.onSkew(-2500)
    stepMs = hours * 3_600_000
    const samples = await scrape(observed)
    expect(samples.get('wimds_clock_skew_seconds')).toBe(hours * 3600 - 2.5)
    const expiresOn = computeExpiry(aToken(undefined, 86_400_000).lifetime, clock).expiresOn
    expect([...samples]).toEqual(
      expect.arrayContaining([
        [expect.stringContaining('wimds_token_expiry_timestamp_seconds{'), expiresOn],
        [expect.stringContaining('wimds_client_last_seen'), (NOW + stepMs) / 1000],
      ]),
    )
  })

  test('omit the clock skew until it is known', async () => {
    const observed = observe()
    expect((await scrape(observed)).has('wimds_clock_skew_seconds')).toBe(false)
    observed.onSkew(-2500)
    expect((await scrape(observed)).get('wimds_clock_skew_seconds')).toBe(-2.5)
  })

  test('say whether the last reload succeeded', async () => {
    const observed = observe()
    observed.onReload('why')
    const samples = await scrape(observed)
    expect(samples.get('wimds_config_last_reload_successful')).toBe(0)
    observed.onReload(undefined)
    expect((await scrape(observed)).get('wimds_config_last_reload_successful')).toBe(1)
  })

  test('include metrics of the process under the names of prom-client', async () => {
    const samples = await scrape(observe())
    expect(samples.get('process_resident_memory_bytes')).toBeGreaterThan(10_000_000)
    expect(samples.get('process_cpu_seconds_total')).toBeGreaterThan(0)
    // prom-client rounds it to whole seconds.
    expect(samples.get('process_start_time_seconds')).toBeLessThan(Date.now() / 1000 + 1)
    expect(samples.get('process_open_fds')).toBeGreaterThan(2)
    expect(samples.get('nodejs_heap_size_used_bytes')).toBeGreaterThan(1_000_000)
    expect(samples.get('wimds_ready')).toBe(1)
  })

  test('measure the lag of an event loop that is blocked during the scrape', async () => {
    const scraped = observe().scrape()
    const blockedUntil = performance.now() + 50
    while (performance.now() < blockedUntil);
    const samples = parseSamples(await scraped)
    expect(samples.get('nodejs_eventloop_lag_seconds')).toBeGreaterThan(0.045)
  })
})
