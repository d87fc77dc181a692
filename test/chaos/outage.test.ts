import { describe, expect, test, vi } from 'vitest'
import { type ErrorCode, ERROR_KINDS } from '../../src/errors.ts'
import type { FaultInput } from '../../src/simulator/faults/faults.ts'
import { BROKEN_WAYS } from './broken-ways.ts'
import { ask, askUntil, median, type Reply, slowest, storm, verifyTokens } from './callers.ts'
import { type Sidecar, startSidecar, TIMEOUT_MS } from './sidecar.ts'

const MINUTE_MS = 60_000
/** No caller of a sidecar is slower than this, but for the pauses of a machine under load. */
const BAR_MS = 100

interface Trouble {
  /** Lets it begin; what is returned ends it. */
  readonly begin: (sidecar: Sidecar) => Promise<() => Promise<void>>
  /** What it is called when nothing is held. */
  readonly code: ErrorCode
}

const fault = (code: ErrorCode, ...faults: FaultInput[]): Trouble => ({
  begin: ({ world }) => {
    world.faults.set(faults)
    return Promise.resolve(() => Promise.resolve(world.faults.clear()))
  },
  code,
})

const way = (code: ErrorCode, name: keyof typeof BROKEN_WAYS): [string, Trouble] => [
  name,
  {
    begin: async ({ reroute }) => {
      const broken = await BROKEN_WAYS[name]()
      reroute(broken.dispatcher)
      return async () => {
        reroute(undefined)
        await broken[Symbol.asyncDispose]()
      }
    },
    code,
  },
]

const TROUBLES: readonly [string, Trouble][] = [
  way('entra_unreachable', 'a port that refuses connections'),
  way('entra_unreachable', 'a name that does not resolve'),
  way('entra_timeout', 'a black hole that accepts and says nothing'),
  way('entra_unreachable', 'a peer that hangs up at once'),
  way('entra_unreachable', 'a peer that resets the handshake'),
  way('entra_tls', 'a certificate of an authority nobody trusts'),
  way('entra_tls', 'a peer that does not speak TLS'),
  ['503 in JSON', fault('entra_unavailable', { kind: 'unavailable' })],
  ['503 in HTML', fault('entra_unavailable', { kind: 'unavailable', body: 'html' })],
  ['503 without a body', fault('entra_unavailable', { kind: 'unavailable', body: 'empty' })],
  ['500', fault('entra_unavailable', { kind: 'status', status: 500 })],
  ['429 with Retry-After', fault('entra_throttled', { kind: 'throttled', retryAfterSeconds: 30 })],
  [
    '429 with Retry-After as a date',
    fault('entra_throttled', { kind: 'throttled', retryAfterSeconds: 30, retryAfterAsDate: true }),
  ],
  ['429 without Retry-After', fault('entra_throttled', { kind: 'status', status: 429 })],
  ['requests that are never answered', fault('entra_timeout', { kind: 'hang' })],
  [
    'a body that comes byte by byte',
    fault('entra_timeout', { kind: 'slow-body', chunkBytes: 1, everyMs: 100 }),
  ],
  ['a reset before the answer', fault('entra_unreachable', { kind: 'reset' })],
  ['a reset within the body', fault('entra_unreachable', { kind: 'reset', when: 'mid-body' })],
  ['garbage', fault('entra_bad_response', { kind: 'garbage' })],
  ['a body of a megabyte', fault('entra_bad_response', { kind: 'oversized', bytes: 1_000_000 })],
  ['a redirect', fault('entra_redirected', { kind: 'redirect', to: 'https://evil.test/token' })],
  ['a success without a token', fault('entra_bad_response', { kind: 'missing-fields' })],
]

const isSlow = ({ tookMs }: Reply) => tookMs > BAR_MS
const statuses = (replies: readonly Reply[]) => [...new Set(replies.map(({ status }) => status))]

describe('while a valid token is held, callers notice nothing of', () => {
  test.each(TROUBLES)('%s', async (_, { begin, code }) => {
    await using sidecar = await startSidecar()
    const { world, clock, renewalFailures } = sidecar
    const first = await ask(sidecar)
    const undisturbed = await storm(sidecar)
    const end = await begin(sidecar)
    world.log.clear()
    // Due for renewal, and valid for a quarter of an hour at least.
    clock.pass(45 * MINUTE_MS)
    const disturbed = await storm(sidecar)

    expect(statuses(disturbed)).toEqual([200])
    expect(median(disturbed)).toBeLessThan(5 * median(undisturbed))
    expect(disturbed.filter(isSlow).length).toBeLessThanOrEqual(2)
    expect(slowest(disturbed)).toBeLessThan(TIMEOUT_MS)
    await verifyTokens(sidecar, disturbed)
    expect(world.exchanges()).toBeLessThanOrEqual(6)

    await vi.waitFor(() => expect(renewalFailures).not.toEqual([]))
    await end()
    // Past what a Retry-After may have asked for.
    clock.pass(MINUTE_MS)
    const recovery = await askUntil(
      sidecar,
      ({ body }) => body['access_token'] !== first.body['access_token'],
    )
    expect(statuses(recovery)).toEqual([200])
    expect(new Set(renewalFailures.map(({ error }) => error.code))).toEqual(new Set([code]))
    await verifyTokens(sidecar, recovery.slice(-1))
  })
})

describe('while nothing is held, callers get an honest answer in time, and the next at once, of', () => {
  test.each(TROUBLES)('%s', async (_, { begin, code }) => {
    await using sidecar = await startSidecar()
    const { world, clock, errors } = sidecar
    const { status } = ERROR_KINDS[code]
    const undisturbed = await storm(sidecar, { resource: 'https://management.azure.com' })
    const end = await begin(sidecar)
    world.log.clear()
    const first = await storm(sidecar, { requests: 4 })
    expect(statuses(first)).toEqual([status])
    expect(new Set(errors.map((error) => error.code))).toEqual(new Set([code]))
    expect(slowest(first)).toBeLessThan(TIMEOUT_MS + 3 * BAR_MS)
    expect(world.exchanges()).toBeLessThanOrEqual(2)

    const next = await storm(sidecar)
    expect(statuses(next)).toEqual([status])
    expect(next.every(({ retryAfter }) => retryAfter >= 1 && retryAfter <= 36)).toBe(true)
    expect(median(next)).toBeLessThan(5 * median(undisturbed))
    expect(next.filter(isSlow).length).toBeLessThanOrEqual(2)
    expect(slowest(next)).toBeLessThan(TIMEOUT_MS)
    // Four tries a second at most, each with one request that is repeated after a reset.
    expect(world.exchanges()).toBeLessThanOrEqual(10)

    await end()
    clock.pass(MINUTE_MS)
    const recovery = await askUntil(sidecar, (reply) => reply.status === 200)
    await verifyTokens(sidecar, recovery.slice(-1))
  })
})
