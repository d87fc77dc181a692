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
import { aToken, BILLING, frozenClock, NOW, ORDERS } from '../../fixtures/parts.ts'

const VAULT = 'https://vault.azure.net/.default'
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

/** Creates the telemetry of these states. `lines` are the lines that it logs. */
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

const requestAs = (identity: Identity, name: string) => ({
  identity,
  scope: `https://${name}.example/.default`,
})

const askedFor = (resource: string): ReplyEvent['asked'] => ({
  query: { selector: { by: 'default' }, resource },
  request: { identity: ORDERS, scope: VAULT },
})

const UNREAD = new BrokerError('assertion_missing', 'there is no projected token', 'mount it')

/** Creates the telemetry of a sidecar with each kind of token, problem, exchange and request. */
export function observeBusy() {
  const shop: Identity = { ...BILLING, tokenFile: '/other' }
  const storage = { identity: orders, scope: 'https://storage.azure.com/.default' }
  const entra = { aadsts: 700213, traceId: 'a-trace', correlationId: 'a-correlation' }
  const error = new BrokerError(
    'federated_credential_not_found',
    'AADSTS700213: no Trace ID: a-trace Correlation ID: a-correlation Timestamp: 2026-11-24 11:59:40Z',
    { entra },
  )
  const since = (ms: number, count: number, of = error) => ({ error: of, count, since: ms })
  const observed = observe({
    entries: [
      cached(),
      // Requests for these will fail when their tokens expire, for the second token first.
      failing('entra_timeout', 3, { request: storage, token: aToken(undefined, 120_000) }),
      failing('entra_tls', 1, {
        request: requestAs(BILLING, 'soon'),
        token: aToken(undefined, 60_000),
      }),
      // These two tokens share one problem, which is the oldest.
      failing(error.code, 2, {
        request: requestAs(BILLING, 'a'),
        failure: since(-80_000, 2),
        nextAttemptAt: 9000,
      }),
      failing(error.code, 7, { request: requestAs(BILLING, 'b'), failure: since(-90_000, 7) }),
      // The tokens of a file have one problem, found before the file was read again.
      failing(UNREAD.code, 1, {
        request: requestAs(shop, 'c'),
        failure: since(-62_000, 1, UNREAD),
        nextAttemptAt: -1000,
      }),
      cached({ request: requestAs(shop, 'd'), token: aToken(undefined, 600_000) }),
    ],
  })
  observed.isReady()
  observed.assertions.set('/other', { ok: false, error: UNREAD, since: -60_000 })
  observed.onAttempt('entra_unavailable')
  observed.onExchange(exchange())
  observed.onExchange(exchange({ durationMs: 30_000, cachedTtlMs: 1 }))
  observed.onExchange(exchange({ outcome: { ok: false, error } }))
  observed.onExchange(exchange({ outcome: { ok: false, error }, cachedTtlMs: 1 }))
  observed.onCacheResult('hit')
  observed.onReply(reply({ durationMs: 20 }))
  observed.onReply(reply({ status: 400, error, asked: askedFor('https://vault.azure.net/') }))
  observed.onReply(reply({ status: 400, error, asked: askedFor('https://vault.azure.net/') }))
  observed.onReply(reply({ status: 400, error, asked: askedFor('https://storage.azure.com') }))
  const overloaded = new BrokerError('overloaded', 'too many')
  observed.onReply(reply({ protocol: 'cloud-shell', status: 503, headers: {}, error: overloaded }))
  observed.onSkew(1234)
  return observed
}
