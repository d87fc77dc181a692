import { connect, type Socket } from 'node:net'
import { expect, test } from 'vitest'
import { createSimulator } from '../../src/tools/simulator/simulator.ts'
import { request, roundTrip } from '../fixtures/connection.ts'
import { environmentOf, startServe } from '../fixtures/served.ts'

const CONNECTIONS = 150
const PIPELINED = request('/metrics', { headers: { Host: '10.1.2.3:9169' } }).repeat(16)

/** Sends pipelined scrapes over many connections, again after each close, until disposed. */
function startFlood(port: number): Disposable & { readonly closes: () => number } {
  const sockets = new Set<Socket>()
  let isOver = false
  let closes = 0
  function open(): void {
    if (isOver) return
    const socket = connect({ port, host: '127.0.0.1' })
    sockets.add(socket)
    socket.on('connect', () => socket.write(PIPELINED))
    socket.on('error', () => {})
    socket.on('close', () => {
      sockets.delete(socket)
      closes += 1
      setImmediate(open)
    })
  }
  for (let index = 0; index < CONNECTIONS; index += 1) open()
  return {
    closes: () => closes,
    [Symbol.dispose]: () => {
      isOver = true
      for (const socket of sockets) socket.destroy()
    },
  }
}

test('/healthz is answered while 150 connections pipeline scrapes', async () => {
  await using simulator = await createSimulator()
  await using sidecar = await startServe(environmentOf(simulator))
  using flood = startFlood(sidecar.adminPort)
  await expect.poll(() => flood.closes()).toBeGreaterThan(CONNECTIONS)
  for (let time = 0; time < 5; time += 1) {
    expect((await roundTrip(sidecar.adminPort, request('/healthz'))).status).toBe(200)
  }
}, 60_000)

test('a request with a Content-Type and without a body is answered on both ports', async () => {
  await using simulator = await createSimulator()
  await using sidecar = await startServe(environmentOf(simulator))
  const { port, adminPort } = sidecar
  for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS']) {
    const bytes = (path: string) =>
      request(path, { method, headers: { Host: 'localhost', 'Content-Type': 'text/plain' } })
    expect((await roundTrip(adminPort, bytes('/no/such/path'))).status).toBe(404)
    const { status } = await roundTrip(adminPort, bytes('/log-level'))
    expect(status).toBe(method === 'PUT' ? 400 : 404)
    expect((await roundTrip(port, bytes('/oauth2/token'))).status).toBeGreaterThanOrEqual(400)
  }
})
