import { afterAll, describe, expect, test } from 'vitest'
import { createSimulator } from '../../src/tools/simulator/simulator.ts'
import { request, roundTrip, TOKEN } from '../fixtures/connection.ts'
import { environmentOf, startServe } from '../fixtures/served.ts'

const simulator = await createSimulator()
afterAll(() => simulator.close())

describe('wimds serve', () => {
  test.each([
    [
      'a 429 with Retry-After: 1',
      { kind: 'throttled', retryAfterSeconds: 1, times: 1 },
      'entra_throttled',
    ],
    ['a connection on which nothing comes', { kind: 'hang', times: 1 }, 'entra_timeout'],
  ] as const)('answers 200 after %s, and counts the attempts', async (_, fault, code) => {
    await using sidecar = await startServe(environmentOf(simulator))
    simulator.faults.set([fault])
    const replies = await Promise.all(
      Array.from({ length: 5 }, () => roundTrip(sidecar.port, request(TOKEN))),
    )
    expect(replies.map(({ status }) => status)).toEqual(Array(5).fill(200))
    const metrics = (await roundTrip(sidecar.adminPort, request('/metrics'))).body
    expect(metrics).toMatch(
      new RegExp(`^wimds_exchange_attempts_total\\{code="${code}"\\} [1-9]`, 'm'),
    )
    expect(metrics).toMatch(/^wimds_exchange_attempts_total\{code="ok"\} [1-9]/m)
    expect(metrics).toMatch(/^wimds_exchange_duration_seconds_count\{code="ok"\} 1$/m)
    expect(metrics).not.toMatch(
      new RegExp(`^wimds_exchange_duration_seconds_count\\{code="${code}"`, 'm'),
    )
  })

  test('does not exchange for another resource while one waits for the end of a Retry-After', async () => {
    await using sidecar = await startServe(environmentOf(simulator))
    simulator.log.clear()
    simulator.faults.set([{ kind: 'throttled', retryAfterSeconds: 2, times: 1 }])
    const first = roundTrip(sidecar.port, request(TOKEN))
    await expect.poll(() => simulator.exchanges()).toBe(1)
    const second = roundTrip(
      sidecar.port,
      request(TOKEN.replace('vault.azure.net', 'storage.azure.com')),
    )
    const replies = await Promise.all([first, second])
    expect(replies.map(({ status }) => status)).toEqual([200, 200])
    const tokens = simulator.log.entries().filter(({ target }) => target === 'token')
    const [throttled = NaN, ...others] = tokens.map(({ at }) => Date.parse(at))
    // An attempt that is slow is hedged by another one.
    expect(others.length).toBeGreaterThanOrEqual(2)
    expect(Math.min(...others) - throttled).toBeGreaterThan(1900)
  })
})
