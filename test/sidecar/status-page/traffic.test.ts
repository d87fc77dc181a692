import { describe, expect, test } from 'vitest'
import { addSample, renderTraffic } from '../../../src/sidecar/status-page/traffic.ts'
import type { TrafficSample } from '../../../src/sidecar/telemetry/metrics.ts'

const MINUTE_MS = 60_000
const BOUNDS = [0.001, 0.1, 1]

function sample(at: number, overrides: Partial<TrafficSample> = {}): TrafficSample {
  return {
    at,
    requests: 0,
    failed: 0,
    durations: { bounds: BOUNDS, counts: [0, 0, 0, 0] },
    lookups: 0,
    hits: 0,
    waited: 0,
    ...overrides,
  }
}

/** Returns the text of the tiles, one line each. */
function tilesOf(samples: readonly TrafficSample[]): string[] {
  const [markup = ''] = renderTraffic(samples).markup.split('<p class="quiet small note">')
  const [, ...tiles] = markup.split('<li class="card tile">')
  return tiles.map((tile) =>
    tile
      .replaceAll(/<[^>]+>/g, ' ')
      .replaceAll('&lt;', '<')
      .replaceAll('&gt;', '>')
      .replaceAll(/\s+/g, ' ')
      .trim(),
  )
}

describe('addSample', () => {
  test('skips a sample that follows within a second', () => {
    const samples = addSample([], sample(5000))
    expect(addSample(samples, sample(5999))).toBe(samples)
    expect(addSample(samples, sample(6000))).toHaveLength(2)
  })

  test('forgets what is older than ten minutes', () => {
    let samples = addSample([], sample(0))
    samples = addSample(samples, sample(5 * MINUTE_MS))
    expect(addSample(samples, sample(11 * MINUTE_MS)).map(({ at }) => at)).toEqual([
      5 * MINUTE_MS,
      11 * MINUTE_MS,
    ])
  })

  test('keeps a bounded number, however often the page is requested', () => {
    let samples: readonly TrafficSample[] = []
    for (let at = 0; at < 1_000_000; at += 1000) samples = addSample(samples, sample(at))
    expect(samples.length).toBeLessThan(150)
    expect(samples.at(-1)?.at).toBe(999_000)
  })
})

describe('the tiles', () => {
  test('show averages since the start on the first visit', () => {
    const first = sample(100_000, {
      requests: 50,
      failed: 2,
      durations: { bounds: BOUNDS, counts: [40, 10, 0, 0] },
      lookups: 40,
      hits: 30,
      waited: 3,
    })
    expect(tilesOf([first])).toEqual([
      'Requests 0.5 /s on average since the start 50 since the start, 2 failed 10 min ago now',
      'Latency < 1 ms median since the start slowest ≤ 100 ms, 3 waited for an exchange 10 min ago now',
      'Cache hits 75 % of token requests since the start 30 of 40 since the start 10 min ago now',
    ])
  })

  test('show the last minute, and the extremes of the last ten', () => {
    const samples = [
      sample(5000),
      sample(10_000, {
        requests: 100,
        durations: { bounds: BOUNDS, counts: [0, 0, 0, 100] },
        lookups: 100,
        hits: 50,
      }),
      sample(70_000, {
        requests: 1360,
        durations: { bounds: BOUNDS, counts: [1260, 0, 0, 100] },
        lookups: 1360,
        hits: 1310,
      }),
    ]
    expect(tilesOf(samples)).toEqual([
      'Requests 21 /s in the last minute 1,360 since the start, none failed 10 min ago highest 21/s now',
      'Latency < 1 ms median in the last minute slowest ≤ 1 ms, none waited for an exchange 10 min ago slowest > 1 s now',
      'Cache hits 100 % of token requests in the last minute 1,310 of 1,360 since the start 10 min ago lowest 50 % now',
    ])
  })

  test('show averages since the start until the samples cover a minute', () => {
    const samples = [
      sample(100_000, { requests: 50, lookups: 50, hits: 49 }),
      sample(159_000, { requests: 50, lookups: 50, hits: 49 }),
    ]
    expect(tilesOf(samples)[0]).toContain('Requests 0.31 /s on average since the start')
    expect(tilesOf(samples)[2]).toContain('98 % of token requests since the start')
    const later = [...samples, sample(160_000, { requests: 50, lookups: 50, hits: 49 })]
    expect(tilesOf(later)[0]).toContain('Requests 0 /s in the last minute')
  })

  test('name the curve of failed requests, which is dashed as well as red', () => {
    const samples = [sample(5000), sample(10_000, { requests: 10, failed: 5 })]
    expect(tilesOf(samples)[0]).toContain('failed (dashed)')
    expect(tilesOf(samples.map((each) => ({ ...each, failed: 0 })))[0]).not.toContain('dashed')
  })

  test('name no highest rate where no request was made', () => {
    const samples = [sample(5000), sample(10_000)]
    expect(tilesOf(samples)[0]).toMatch(/10 min ago now$/)
    const label = /aria-label="Requests per second in the last ten minutes: ([^"]*)"/
    expect(label.exec(renderTraffic(samples).markup)?.[1]).toBe('none')
  })

  test('draw nothing where no request was made', () => {
    const samples = [sample(5000), sample(10_000), sample(15_000, { requests: 1 })]
    const [, latency = ''] = renderTraffic(samples).markup.split('<h3>Latency</h3>')
    expect(latency).not.toContain('class="curve"')
    expect(tilesOf(samples)[1]).toContain('Latency – no request since the start')
  })
})
