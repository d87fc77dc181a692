/** The fleet scenarios of docs/performance.md and their numbers. */
import { computeRefreshDelayMs } from '../../src/broker/tokens/lifetime.ts'
import { formatValue, percentile } from '../figures.ts'
import { markdown } from '../table.ts'
import {
  type FleetDay,
  simulateFleet,
  type FleetOptions,
  type Outage,
  type TokenKind,
} from './fleet.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const PODS = 10_000
const OUTAGE_MS = 10 * MINUTE_MS

const DAY = { pods: PODS, startWithinMs: 1000, dayMs: 24 * HOUR_MS, jitter: true, seed: 1 } as const

const TOKENS: Readonly<Record<string, TokenKind>> = {
  '24 h, refresh_in 12 h': { lifetimeMs: [24 * HOUR_MS, 24 * HOUR_MS], refreshInMs: 12 * HOUR_MS },
  '24 h': { lifetimeMs: [24 * HOUR_MS, 24 * HOUR_MS] },
  '60 to 90 min': { lifetimeMs: [60 * MINUTE_MS, 90 * MINUTE_MS] },
}

/** None; from a minute before a fleet without jitter renews; from before the first pod starts. */
const OUTAGES: Readonly<Record<string, (token: TokenKind) => Outage | undefined>> = {
  none: () => undefined,
  'at the refresh': (token) => lasting(meanRefreshDelayMs(token) - MINUTE_MS),
  'at the start': () => lasting(0),
}

const HEAD = [
  'Tokens live',
  'Outage',
  'Exchanges',
  'Failed',
  'Peak per s',
  'First refreshes within',
] as const

/** Formats all days as a Markdown table. Peaks leave out each pod's first try. */
export function fleetTable(): string {
  const rows = Object.entries(TOKENS).flatMap(([life, token]) =>
    Object.entries(OUTAGES).map(([when, createOutage]) => {
      const outage = createOutage(token)
      return [life, when, ...numbers({ ...DAY, token, ...(outage !== undefined && { outage }) })]
    }),
  )
  return markdown([HEAD, ...rows])
}

/** Returns the most exchanges in any one period of so many seconds that begins with a full second. */
function peak(perSecond: Uint32Array, seconds: number): number {
  let [sum, most] = [0, 0]
  for (const [second, count] of perSecond.entries()) {
    sum += count - (second < seconds ? 0 : (perSecond[second - seconds] ?? 0))
    most = Math.max(most, sum)
  }
  return most
}

/** Milliseconds within which the middle nine tenths of the pods replaced their first token. */
const spreadMs = ({ firstRefreshes }: FleetDay): number =>
  percentile(firstRefreshes, 0.95) - percentile(firstRefreshes, 0.05)

function numbers(options: FleetOptions): readonly string[] {
  const day = simulateFleet(options)
  const exchanges = [day.firstAttempts, day.laterAttempts]
    .map((attempts) => attempts.reduce((sum, count) => sum + count, 0))
    .reduce((sum, count) => sum + count)
  return [
    formatValue(exchanges, ''),
    formatValue(day.failures, ''),
    formatValue(peak(day.laterAttempts, 1), ''),
    formatDuration(spreadMs(day)),
  ]
}

const lasting = (fromMs: number): Outage => ({ fromMs, toMs: fromMs + OUTAGE_MS })

function meanRefreshDelayMs({ lifetimeMs: [least, most], refreshInMs }: TokenKind): number {
  const life = { lifetimeMs: (least + most) / 2, ...(refreshInMs !== undefined && { refreshInMs }) }
  return computeRefreshDelayMs(life, 0, () => 0.5)
}

function formatDuration(ms: number): string {
  return ms < 2 * MINUTE_MS ? `${(ms / 1000).toFixed(1)} s` : `${Math.round(ms / MINUTE_MS)} min`
}
