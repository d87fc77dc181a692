/** Telemetry with the clock, cache entries and log of a test. */
import type { Config } from '../../../src/broker/config/config.ts'
import { BrokerError, type ErrorCode } from '../../../src/lib/errors.ts'
import type { AssertionState } from '../../../src/broker/exchange/assertion-watcher.ts'
import type { ReplyEvent } from '../../../src/broker/server/reply.ts'
import type { Identity } from '../../../src/broker/identities.ts'
import { Secret } from '../../../src/lib/secret.ts'
import { createLogger } from '../../../src/service/logger.ts'
import { createTelemetry } from '../../../src/broker/telemetry/telemetry.ts'
import type { CacheEntry } from '../../../src/broker/tokens/cache-entry.ts'
import type { Clock } from '../../../src/broker/tokens/lifetime.ts'
import type { ExchangeEvent } from '../../../src/broker/tokens/exchanges.ts'
import { aToken, frozenClock, NOW, ORDERS } from '../../fixtures/parts.ts'

export const VAULT = 'https://vault.azure.net/.default'
export const TOKEN_FILE = '/var/run/token'

const orders: Identity = { ...ORDERS, prefetch: ['https://vault.azure.net'] }
const DIRECTORY: Config['directory'] = { identities: [orders], defaultIdentity: orders }

export const readable = {
  ok: true,
  assertion: {
    secret: new Secret('eyJ.an.assertion'),
    issuer: 'https://issuer.test',
    subject: 'system:serviceaccount:shop:orders',
    audience: ['api://AzureADTokenExchange'],
    expiresAt: NOW + 1_800_000,
  },
} satisfies AssertionState

interface Given {
  readonly entries?: readonly CacheEntry[]
  readonly assertion?: AssertionState
  readonly directory?: Config['directory']
  readonly level?: 'debug' | 'info'
  readonly clock?: Clock
}

/** Creates telemetry of these states; `lines` are what it logs. */
export function observe(given: Given = {}) {
  const { entries = [], assertion = readable, directory = DIRECTORY, clock = frozenClock } = given
  const lines: Record<string, unknown>[] = []
  const assertions = new Map([[TOKEN_FILE, assertion]])
  const log = createLogger({
    level: given.level ?? 'info',
    out: { write: (line) => lines.push(JSON.parse(line)) > 0 },
  })
  const telemetry = createTelemetry({
    config: () => ({ directory, warnings: [], isInPod: true }),
    log,
    clock,
    entries: () => entries,
    assertions: () => assertions,
  })
  return { ...telemetry, log, lines, assertions }
}

export const cached = (overrides: Partial<CacheEntry> = {}): CacheEntry => ({
  request: { identity: orders, scope: VAULT },
  token: aToken(),
  nextAttemptAt: 1_800_000,
  lastUsedAt: 0,
  ...overrides,
})

export const failing = (
  code: ErrorCode,
  count = 1,
  overrides: Partial<CacheEntry> = {},
): CacheEntry => ({
  request: { identity: orders, scope: VAULT },
  failure: { error: new BrokerError(code, `${code} happened`), count, since: -60_000 },
  nextAttemptAt: 5000,
  lastUsedAt: 0,
  ...overrides,
})

export const reply = (overrides: Partial<ReplyEvent> = {}): ReplyEvent => ({
  protocol: 'imds',
  status: 200,
  durationMs: 1,
  headers: { 'user-agent': 'azsdk-python-identity/1.5.0 Python/3.9.2 (Linux)' },
  ...overrides,
})

export const exchange = (overrides: Partial<ExchangeEvent> = {}): ExchangeEvent => ({
  request: { identity: orders, scope: VAULT },
  durationMs: 120,
  outcome: { ok: true, token: aToken() },
  cachedTtlMs: 0,
  ...overrides,
})

/** Creates the registry of a sidecar to which nothing has happened. */
export const aMetricsRegistry = () => observe().registry
