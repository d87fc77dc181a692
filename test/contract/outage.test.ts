import { rename } from 'node:fs/promises'
import { expect, test, vi } from 'vitest'
import { type ErrorCode, ERROR_KINDS } from '../../src/lib/errors.ts'
import type { FaultInput } from '../../src/tools/simulator/faults/faults.ts'
import { expectToken, type FaultySidecar, startFaultySidecar } from './faulty-sidecar.ts'

const MINUTE_MS = 60_000
/** Generous: nothing here depends on the speed of the machine. */
const PATIENCE = { timeout: 60_000, interval: 20 }

type End = () => unknown

interface Outage {
  /** Starts it. Returns the function that ends it. */
  readonly start: (sidecar: FaultySidecar) => End | Promise<End>
  readonly code: ErrorCode
}

const fault = (code: ErrorCode, input: FaultInput): Outage => ({
  start: ({ simulator }) => {
    simulator.faults.set([input])
    return () => simulator.faults.clear()
  },
  code,
})

type Token = Parameters<FaultySidecar['simulator']['rotateToken']>[0]

const projectedToken = (code: ErrorCode, tokenAt: (seconds: number) => Token): Outage => ({
  start: async ({ simulator, clock }) => {
    await simulator.rotateToken(tokenAt(Math.floor(clock.wall() / 1000)))
    return () => simulator.rotateToken()
  },
  code,
})

const OUTAGES: readonly [string, Outage][] = [
  ['a reset', fault('entra_unreachable', { kind: 'reset' })],
  // Longer than a caller waits.
  ['a 429', fault('entra_throttled', { kind: 'throttled', retryAfterSeconds: 90 })],
  [
    'a projected token that is missing',
    {
      start: async ({ simulator: { tokenFile } }) => {
        await rename(tokenFile, `${tokenFile}-gone`)
        return () => rename(`${tokenFile}-gone`, tokenFile)
      },
      code: 'assertion_missing',
    },
  ],
  [
    'an expired projected token',
    projectedToken('assertion_expired', (now) => ({
      claims: { iat: now - 7200, nbf: now - 7200, exp: now - 3600 },
    })),
  ],
  [
    'a projected token of another service account',
    projectedToken('federated_credential_not_found', () => ({ serviceAccount: 'default' })),
  ],
]

test.each(OUTAGES)(
  '%s: a caller without a token gets an honest answer, a cached token is served',
  async (_, outage) => {
    await using sidecar = await startFaultySidecar()
    const { clock, codes, refreshes } = sidecar
    const askForToken = () =>
      vi.waitFor(async () => {
        const reply = await sidecar.ask()
        await expectToken(sidecar, reply)
        return reply.body['access_token']
      }, PATIENCE)

    const endFirst = await outage.start(sidecar)
    const isPropagating = outage.code === 'federated_credential_not_found'
    for (const reply of [await sidecar.ask(), await sidecar.ask()]) {
      expect(reply.status).toBe(isPropagating ? 503 : ERROR_KINDS[outage.code].status)
      // Not the 90 s of Entra ID, for which a client would sleep.
      const least = outage.code === 'entra_throttled' ? 10 : 1
      expect(Number(reply.retryAfter)).toBeGreaterThanOrEqual(least)
      expect(Number(reply.retryAfter)).toBeLessThanOrEqual(10)
      expect(reply.body).toMatchObject({ error_description: expect.any(String) })
    }
    // Before the end of the outage: after it, a busy simulator may be too slow to read the issuer's keys.
    expect(new Set(codes)).toEqual(new Set([outage.code]))
    await endFirst()
    // Past the Retry-After.
    clock.pass(2 * MINUTE_MS)
    const first = await askForToken()

    const failed = codes.length
    const end = await outage.start(sidecar)
    // The refresh is due, and the token valid for a quarter of an hour at least.
    clock.pass(45 * MINUTE_MS)
    await vi.waitFor(async () => {
      expect((await sidecar.ask()).body['access_token']).toBe(first)
      const reported = refreshes.flatMap(({ outcome }) => (outcome.ok ? [] : outcome.error.code))
      expect(reported).toContain(outage.code)
    }, PATIENCE)
    await end()
    clock.pass(2 * MINUTE_MS)
    await vi.waitFor(async () => expect(await askForToken()).not.toBe(first), PATIENCE)
    expect(codes).toHaveLength(failed)
  },
)
