/** The broker put together: exchange, cache, projected-token watch, and what they report to. */
import type { Config } from '../config/config.ts'
import { type Assertion, assertionReader, hasUnusualAudience } from '../exchange/assertion.ts'
import { watchAssertions } from '../exchange/assertion-watch.ts'
import { errorFields, type Logger } from '../telemetry/logger.ts'
import { type Metrics, metrics } from '../telemetry/metrics.ts'
import { type Status, status } from '../telemetry/status.ts'
import { systemClock } from '../tokens/clock.ts'
import { deferred } from '../tokens/deferred.ts'
import type { ExchangeEvent } from '../tokens/observed.ts'
import { tokenStack } from '../tokens/stack.ts'
import { scopeOf, type TokenRequest, type TokenSource } from '../tokens/token.ts'
import { VERSION } from '../version.ts'

/** A broker that answers as soon as its exchange has been loaded. */
export interface Broker {
  readonly tokens: TokenSource
  readonly metrics: Metrics
  readonly status: Status
  /** Begins to follow the projected tokens; resolves after the first look at them. */
  readonly watch: () => Promise<void>
  /** Fetches the configured resources and keeps them warm; resolves when each was tried once. */
  readonly prefetch: () => Promise<void>
  readonly close: () => void
}

/** `extraCa` is PEM text. Nothing is read or connected to before it is asked for. */
export function broker(config: Config, extraCa: string | undefined, log: Logger): Broker {
  const clock = systemClock
  const { directory, exchange } = config
  let skewMs: number | undefined
  let isPrefetched = !config.readyAfterPrefetch

  const read = assertionReader({
    ...(exchange.audience !== undefined && { audience: exchange.audience }),
  })
  const cache = tokenStack(deferred(loadExchange()), {
    max: config.cacheSize,
    maxConcurrent: exchange.maxConcurrent,
    timeoutMs: exchange.timeoutMs,
    clock,
    onExchange,
    onResult: (result) => meters.onResult(result),
    onRenewalFailed: ({ request, error, leftMs }) => {
      const fields = { ...fieldsOf(request), ...errorFields(error) }
      const write = error.isPermanent ? log.error : log.warn
      write('renewal_failed', { ...fields, tokenLeftSeconds: Math.floor(leftMs / 1000) })
    },
  })
  const assertions = watchAssertions({
    files: config.tokenFiles,
    read,
    onChange: (file, state) => {
      if (state.ok) {
        const isSuspect = exchange.audience === undefined && hasUnusualAudience(state.assertion)
        const write = isSuspect ? log.warn : log.info
        const event = isSuspect ? 'assertion_audience_unusual' : 'assertion_read'
        write(event, { file, ...claimsOf(state.assertion) })
      } else log.warn('assertion_failed', { file, ...errorFields(state.error) })
      cache.assertionChanged(file)
    },
  })
  const health = status({
    assertions: () => assertions.states,
    isPrefetched: () => isPrefetched,
    now: clock.wall,
  })
  const meters = metrics({
    version: VERSION,
    isReady: () => health.readiness().ready,
    entries: cache.entries,
    skewMs: () => skewMs,
  })

  /** MSAL and the transport are most of the start-up: the servers listen before they are loaded. */
  async function loadExchange(): Promise<TokenSource> {
    await new Promise(setImmediate)
    const [{ entraExchange }, { entraDispatcher }] = await Promise.all([
      import('../exchange/entra.ts'),
      import('../exchange/dispatcher.ts'),
    ])
    const { proxy, timeoutMs } = exchange
    return entraExchange({
      readAssertion: read,
      dispatcher: entraDispatcher({
        ...(extraCa !== undefined && { extraCa }),
        ...(proxy !== undefined && { proxy }),
      }),
      clock,
      timeoutMs,
      onSkew: (ms) => {
        skewMs = ms
      },
    })
  }

  function onExchange(event: ExchangeEvent): void {
    meters.onExchange(event)
    health.onExchange(event)
    const { request, outcome, durationMs } = event
    const fields = { ...fieldsOf(request), durationMs: Math.round(durationMs) }
    if (outcome.ok) {
      const expiresAt = new Date(outcome.token.expiresAt).toISOString()
      log.info('token_obtained', { ...fields, expiresAt })
    } else {
      log.warn('exchange_failed', { ...fields, ...errorFields(outcome.error) })
    }
  }

  async function prefetch(): Promise<void> {
    const wishes = directory.identities.flatMap((identity) =>
      identity.prefetch.map((resource) => ({ identity, scope: scopeOf(resource), keepWarm: true })),
    )
    // A failure has been reported by then, and the cache tries again by itself.
    await Promise.allSettled(wishes.map((wish) => cache.tokens(wish)))
    isPrefetched = true
  }

  return {
    tokens: cache.tokens,
    metrics: meters,
    status: health,
    watch: assertions.look,
    prefetch,
    close: () => {
      assertions.close()
      cache.close()
    },
  }
}

function fieldsOf({ identity, scope }: TokenRequest) {
  return { identity: identity.name, clientId: identity.clientId, scope }
}

function claimsOf({ issuer, subject, audience, expiresAt }: Assertion) {
  return { issuer, subject, audience, expiresAt: new Date(expiresAt).toISOString() }
}
