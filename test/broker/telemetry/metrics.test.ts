import { expect, test } from 'vitest'
import { aToken, NOW, ORDERS } from '../../fixtures/parts.ts'
import { cached, observe, observeBusy, reply } from './observed.ts'
import { parseSamples } from '../../service/scraped.ts'

type Observed = ReturnType<typeof observe>
const scrape = async (observed: Observed) => parseSamples(await observed.scrape())

/** Returns the values of the series whose names begin with the prefix. */
const seriesOf = (samples: ReadonlyMap<string, number>, name: string) =>
  Object.fromEntries([...samples].filter(([series]) => series.startsWith(name)))

// A series with known labels starts at 0. Otherwise an alert on the increase of the counter would miss its first event.
test('a sidecar with each kind of event and token has these series', async () => {
  const samples = [...(await scrape(observeBusy()))].filter(
    ([series]) => /^wimds_(?!build_info)/.test(series) && !series.includes('_bucket{'),
  )
  const shown = samples.map(([series, value]) => `${series} ${value}\n`).join('')
  await expect(shown).toMatchFileSnapshot('golden/metrics.txt')
})

test('a sidecar that has done nothing has durations of 0 and no clock skew', async () => {
  const samples = await scrape(observe())
  expect(samples.has('wimds_clock_skew_seconds')).toBe(false)
  expect(Object.fromEntries(samples)).toMatchObject({
    'wimds_request_duration_seconds_count{protocol="imds",outcome="success"}': 0,
    'wimds_exchange_duration_seconds_count{code="ok"}': 0,
  })
})

test('the time of a request and of an exchange is counted in the buckets that it fits in', async () => {
  expect(Object.fromEntries(await scrape(observeBusy()))).toMatchObject({
    'wimds_request_duration_seconds_bucket{le="0.005",protocol="imds",outcome="success"}': 0,
    'wimds_request_duration_seconds_bucket{le="0.025",protocol="imds",outcome="success"}': 1,
    'wimds_exchange_duration_seconds_bucket{le="0.1",code="ok"}': 0,
    'wimds_exchange_duration_seconds_bucket{le="0.2",code="ok"}': 1,
    'wimds_exchange_duration_seconds_bucket{le="+Inf",code="ok"}': 2,
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

test('tokens have labels from the configuration only, and all other tokens share the earliest expiry', async () => {
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

test('the process has the metrics of prom-client, and the lag of its event loop while it is blocked', async () => {
  const scraped = observe().scrape()
  const blockedUntil = performance.now() + 50
  while (performance.now() < blockedUntil);
  const samples = parseSamples(await scraped)
  expect(samples.get('nodejs_eventloop_lag_seconds')).toBeGreaterThan(0.045)
  expect(samples.get('process_resident_memory_bytes')).toBeGreaterThan(10_000_000)
  expect(samples.get('process_cpu_seconds_total')).toBeGreaterThan(0)
  // prom-client rounds the time to whole seconds.
  expect(samples.get('process_start_time_seconds')).toBeLessThan(Date.now() / 1000 + 1)
  expect(samples.get('process_open_fds')).toBeGreaterThan(2)
  expect(samples.get('nodejs_heap_size_used_bytes')).toBeGreaterThan(1_000_000)
})
