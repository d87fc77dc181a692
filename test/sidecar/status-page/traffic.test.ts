import { expect, test } from 'vitest'
import { renderTraffic } from '../../../src/sidecar/status-page/traffic.ts'
import type { TrafficSample } from '../../../src/sidecar/telemetry/metrics.ts'
import { NO_TRAFFIC, textOf, TRAFFIC } from '../../fixtures/status.ts'

/** Returns the text of the tiles, one line each. */
function tilesOf(sample: TrafficSample): string[] {
  const [markup = ''] = renderTraffic(sample).markup.split('<p class="quiet small note">')
  const [, ...tiles] = markup.split('<li class="card tile">')
  return tiles.map(textOf)
}

test('the tiles show what was answered since the start', () => {
  expect(tilesOf(TRAFFIC)).toEqual([
    'Requests 4,600 84 failed',
    'Latency < 1 ms median; slowest ≤ 250 ms, 8 waited for an exchange',
    'Cache hits 98 % 4,508 of 4,600 token requests',
  ])
})

test('the tiles say that nothing was requested', () => {
  expect(tilesOf(NO_TRAFFIC)).toEqual([
    'Requests 0 none failed',
    'Latency – no request',
    'Cache hits – 0 of 0 token requests',
  ])
})

test('the latency is an estimate between bounds, and open above the last', () => {
  const durations = { bounds: [0.001, 0.1, 1], counts: [0, 4, 0, 6] }
  expect(tilesOf({ ...TRAFFIC, durations, waited: 0 })[1]).toBe(
    'Latency ≥ 1 s median; slowest > 1 s, none waited for an exchange',
  )
})
