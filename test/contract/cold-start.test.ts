import { connect, createServer } from 'node:net'
import { pipeline } from 'node:stream'
import { afterAll, describe, expect, test } from 'vitest'
import { createSimulator } from '../../src/tools/simulator/simulator.ts'
import { request, roundTrip, TOKEN } from '../fixtures/connection.ts'
import { connectProxy } from '../broker/exchange/connect-proxy.ts'
import { listening } from '../fixtures/listening.ts'
import { environmentOf, startServe } from '../fixtures/served.ts'

/** A TLS record with an alert. */
const FATAL_INTERNAL_ERROR = Buffer.from('15030300020250', 'hex')

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

  test('does not exchange for a second resource while the first one waits for the end of a Retry-After', async () => {
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

  test('answers 200 after a TLS alert', async () => {
    let connections = 0
    const server = createServer((socket) => {
      connections += 1
      if (connections === 1) {
        socket.once('data', () => socket.end(FATAL_INTERNAL_ERROR))
        return
      }
      const upstream = connect(Number(new URL(simulator.authorityHost).port), '127.0.0.1')
      pipeline(socket, upstream, socket, () => {})
    })
    await using front = await listening(server)
    await using sidecar = await startServe({
      ...environmentOf(simulator),
      AZURE_AUTHORITY_HOST: `https://127.0.0.1:${front.port}/`,
    })
    expect((await roundTrip(sidecar.port, request(TOKEN))).status).toBe(200)
    expect(connections).toBeGreaterThanOrEqual(2)
    const metrics = (await roundTrip(sidecar.adminPort, request('/metrics'))).body
    expect(metrics).toMatch(/^wimds_exchange_attempts_total\{code="entra_tls"\} [1-9]/m)
  })

  test('answers 200 after a proxy that does not open the tunnel', async () => {
    const host = 'login.microsoftonline.com'
    await using entra = await createSimulator({ names: [host] })
    let requests = 0
    await using proxy = await connectProxy({
      routes: { [`${host}:443`]: Number(new URL(entra.authorityHost).port) },
      isSilent: () => (requests += 1) === 1,
    })
    await using sidecar = await startServe({
      ...environmentOf(entra),
      AZURE_AUTHORITY_HOST: `https://${host}/`,
      HTTPS_PROXY: `http://127.0.0.1:${proxy.port}`,
    })
    expect((await roundTrip(sidecar.port, request(TOKEN))).status).toBe(200)
    expect(proxy.tunnels.length).toBeGreaterThanOrEqual(2)
  })
})
