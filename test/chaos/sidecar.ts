/** A whole sidecar between real callers and a simulated Entra ID, with clocks that can be moved. */
import type { Dispatcher } from 'undici'
import { expect, vi } from 'vitest'
import type { BrokerError } from '../../src/errors.ts'
import { createAssertionReader } from '../../src/exchange/assertion.ts'
import { watchAssertions } from '../../src/exchange/assertion-watcher.ts'
import { createEntraExchange } from '../../src/exchange/entra.ts'
import { identityResolver } from '../../src/identities.ts'
import { createSimulator, type Simulator } from '../../src/simulator/simulator.ts'
import type { RenewalFailure } from '../../src/tokens/flights.ts'
import { tokenStack } from '../../src/tokens/stack.ts'
import type { TokenSource } from '../../src/tokens/token.ts'
import { movedClock } from '../exchange/moved-clock.ts'
import { identityOf } from '../fixtures/identity.ts'
import { parts } from '../fixtures/parts.ts'
import { serveParts } from '../fixtures/sidecar.ts'

export interface Sidecar extends AsyncDisposable {
  readonly port: number
  readonly world: Simulator
  readonly clock: ReturnType<typeof movedClock>
  /** Errors of the replies, in their order. */
  readonly errors: readonly BrokerError[]
  readonly renewalFailures: readonly RenewalFailure[]
  /** Resolves when no exchange is under way. */
  readonly settled: () => Promise<void>
  /** Sends exchanges another way; undefined: to the simulator again. */
  readonly reroute: (dispatcher: Dispatcher | undefined) => void
}

/** Limit of one exchange: short, so that nobody has to wait for what never comes. */
export const TIMEOUT_MS = 400

/** Starts one with jitter at its least: retries come after a quarter of a second. */
export async function startSidecar({ timeoutMs = TIMEOUT_MS } = {}): Promise<Sidecar> {
  await using onFailure = new AsyncDisposableStack()
  const clock = movedClock()
  const world = onFailure.use(await createSimulator({ ports: false, now: clock.truth }))
  let other: Dispatcher | undefined
  const dispatcher = world.dispatcher.compose(
    (dispatch) => (options, handler) =>
      other === undefined ? dispatch(options, handler) : other.dispatch(options, handler),
  )
  const readAssertion = createAssertionReader()
  const exchange = createEntraExchange({ readAssertion, dispatcher, clock, timeoutMs })
  const renewalFailures: RenewalFailure[] = []
  let underway = 0
  const counted: TokenSource = async (request, signal) => {
    underway += 1
    try {
      return await exchange(request, signal)
    } finally {
      underway -= 1
    }
  }
  const cache = tokenStack(counted, {
    max: 1000,
    maxWaiting: 384,
    maxConcurrent: 32,
    timeoutMs,
    clock,
    random: () => 0,
    onExchange: () => {},
    onRenewalFailed: (failure) => renewalFailures.push(failure),
  })
  onFailure.defer(() => cache.close())
  const watch = watchAssertions({
    files: () => [world.tokenFile],
    read: readAssertion,
    onChange: cache.assertionChanged,
  })
  onFailure.defer(() => watch.close())
  await watch.poll()

  const orders = identityOf(world)
  const errors: BrokerError[] = []
  const served = onFailure.use(
    await serveParts(
      parts({
        tokens: cache.tokens,
        clock,
        resolve: identityResolver({ identities: [orders], defaultIdentity: orders }),
        onReply: ({ error }) => {
          if (error !== undefined) errors.push(error)
        },
      }),
      { maxConnections: 1000 },
    ),
  )
  const started = onFailure.move()
  return {
    port: served.port,
    world,
    clock,
    errors,
    renewalFailures,
    settled: () => vi.waitFor(() => expect(underway).toBe(0)),
    reroute: (way) => {
      other = way
    },
    [Symbol.asyncDispose]: () => started.disposeAsync(),
  }
}
