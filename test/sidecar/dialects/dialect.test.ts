import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { computeExpiry } from '../../../src/sidecar/dialects/dialect.ts'
import { createLifetime, ttlMs } from '../../../src/sidecar/tokens/clock.ts'
import { NOW } from '../../fixtures/parts.ts'

test('computeExpiry returns an expires_in of at least 1 that agrees with expires_on', () => {
  const start = { wall: () => NOW, monotonic: () => 20_000 }
  const lifetime = createLifetime(20_000, 30_000, start)
  const ms = fc.double({ min: -5000, max: 90_000_000, noNaN: true })
  fc.assert(
    fc.property(ms, ms, (wallPassed, passed) => {
      const clock = { wall: () => NOW + wallPassed, monotonic: () => 20_000 + passed }
      const { expiresIn, expiresOn } = computeExpiry(lifetime, clock)
      expect(Number.isInteger(expiresIn)).toBe(true)
      expect(expiresIn).toBeGreaterThanOrEqual(1)
      expect(expiresOn).toBe(Math.floor(clock.wall() / 1000) + expiresIn)
      // Except in its last second, a token never lives for less than the reply says.
      const ttl = Math.max(1000, ttlMs(lifetime, clock))
      expect(expiresOn * 1000).toBeLessThanOrEqual(clock.wall() + ttl)
    }),
  )
})
