/** A whole sidecar with clocks that a test can set. */
import { createLocalJWKSet, type JSONWebKeySet, jwtVerify } from 'jose'
import { fetch } from 'undici'
import { expect } from 'vitest'
import { createAssertionReader } from '../../src/broker/exchange/assertion.ts'
import { watchAssertions } from '../../src/broker/exchange/assertion-watcher.ts'
import { createEntraExchange } from '../../src/broker/exchange/entra.ts'
import { createSimulator, type Simulator } from '../../src/tools/simulator/simulator.ts'
import { createRetryBudget } from '../../src/broker/tokens/retries.ts'
import type { ExchangeEvent } from '../../src/broker/tokens/exchanges.ts'
import { withPermit } from '../../src/broker/tokens/exchange-limit.ts'
import { IdentityFailures } from '../../src/broker/tokens/identity-failures.ts'
import { TokenCache } from '../../src/broker/tokens/token-cache.ts'
import { movedClock } from '../broker/exchange/moved-clock.ts'
import { request, roundTrip } from '../fixtures/connection.ts'
import { identityOf } from '../fixtures/identity.ts'
import { identitiesOf, parts } from '../fixtures/parts.ts'
import { serveParts } from '../fixtures/sidecar.ts'
import { CACHE_OPTIONS, startWith } from '../broker/tokens/setup.ts'

export interface Reply {
  readonly status: number
  readonly retryAfter: string | undefined
  readonly body: Readonly<Record<string, string>>
}

export interface FaultySidecar extends AsyncDisposable {
  readonly simulator: Simulator
  readonly clock: ReturnType<typeof movedClock>
  /** Error codes of the replies, in their order. */
  readonly codes: readonly string[]
  /** The refreshes of cached tokens, in their order. */
  readonly refreshes: readonly ExchangeEvent[]
  readonly ask: () => Promise<Reply>
}

/** No jitter: the cache retries after its shortest delay. */
const random = () => 0
const RESOURCE = 'https://vault.azure.net'
const TARGET = `/metadata/identity/oauth2/token?api-version=2018-02-01&resource=${RESOURCE}`

/** Starts a sidecar that retries soon. */
export async function startFaultySidecar(): Promise<FaultySidecar> {
  await using onFailure = new AsyncDisposableStack()
  const clock = movedClock()
  const simulator = onFailure.use(await createSimulator({ now: clock.wall }))
  const readAssertion = createAssertionReader()
  const failures = new IdentityFailures(clock)
  const entra = createEntraExchange({ readAssertion, dispatcher: simulator.dispatcher, clock })
  const exchange = withPermit(entra, { limit: (work) => work(), failures })
  const retried = startWith(exchange, {
    timeoutMs: 60_000,
    clock,
    budget: createRetryBudget(clock),
    random,
  })
  const refreshes: ExchangeEvent[] = []
  const onExchange = (event: ExchangeEvent) => {
    if (event.cachedTtlMs > 0) refreshes.push(event)
  }
  const cache = new TokenCache(retried, { ...CACHE_OPTIONS, clock, random, onExchange })
  onFailure.defer(() => cache.close())
  const watch = watchAssertions({
    files: () => [simulator.tokenFile],
    read: readAssertion,
    clock,
    onChange: (file) => cache.assertionRotated(file),
  })
  onFailure.defer(() => watch.close())
  await watch.poll()
  const orders = identityOf(simulator)
  const codes: string[] = []
  const { port } = onFailure.use(
    await serveParts(
      parts({
        tokens: cache.createGet(Infinity),
        clock,
        identities: identitiesOf(orders),
        onReply: ({ error }) => {
          if (error !== undefined) codes.push(error.code)
        },
      }),
    ),
  )
  const started = onFailure.move()
  return {
    simulator,
    clock,
    codes,
    refreshes,
    ask: async () => {
      const { status, headers, body } = await roundTrip(port, request(TARGET))
      return { status, retryAfter: headers.get('retry-after'), body: JSON.parse(body) }
    },
    [Symbol.asyncDispose]: () => started.disposeAsync(),
  }
}

/** Expects a token of the default identity that is valid now. */
export async function expectToken(
  { simulator, clock }: FaultySidecar,
  reply: Reply,
): Promise<void> {
  expect(reply).toMatchObject({ status: 200 })
  const url = `${simulator.authorityHost}/${simulator.tenantId}/discovery/v2.0/keys`
  const response = await fetch(url, { dispatcher: simulator.dispatcher })
  // oxlint-disable-next-line no-unsafe-type-assertion -- the simulator's own document
  const keys = createLocalJWKSet((await response.json()) as JSONWebKeySet)
  const { payload } = await jwtVerify(reply.body['access_token'] ?? '', keys, {
    audience: RESOURCE,
    currentDate: new Date(clock.wall()),
  })
  expect(payload['appid']).toBe(simulator.clientId)
}
