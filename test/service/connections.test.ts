import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { expect, onTestFinished, test, vi } from 'vitest'
import {
  chooseIdle,
  CONNECTION_TIMEOUTS,
  ConnectionLimiter,
  createLimitedServer,
} from '../../src/service/connections.ts'
import { openConnection, request, waitFor } from '../fixtures/connection.ts'
import { portOf } from '../fixtures/listening.ts'

/** Opens a connection to a server with a limiter. */
async function connectTo(server: Server) {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return openConnection(portOf(server))
}

test('a request that follows a written reply is answered before that reply has closed', async () => {
  await using server = createServer()
  new ConnectionLimiter(4, chooseIdle).attach(server, (_request, response) => {
    response.end('answered')
  })
  await using connection = await connectTo(server)
  // Node parses both in one turn of the event loop, in which the first reply is written.
  connection.write(request('/first') + request('/second'))
  expect((await connection.reply()).body).toBe('answered')
  expect((await connection.reply()).body).toBe('answered')
  connection.destroy()
})

test('a connection whose first request comes after the drain began is answered, closed and forgotten', async () => {
  const limiter = new ConnectionLimiter(4, chooseIdle)
  await using server = createServer()
  limiter.attach(server, (_request, response) => void response.end('answered'))
  await using connection = await connectTo(server)
  await waitFor(() => limiter.open[0])
  // It has a second, which a busy machine may take.
  vi.useFakeTimers({ toFake: ['setTimeout'] })
  onTestFinished(() => void vi.useRealTimers())
  limiter.drain()
  connection.write(request('/first'))
  const { body, headers } = await connection.reply()
  expect(body).toBe('answered')
  expect(headers.get('connection')).toBe('close')
  expect(await connection.closed()).toBe('')
  await expect.poll(() => limiter.open).toEqual([])
})

test('a limited server leaves a missing Host to the handler, and closes a connection whose body may never end', async () => {
  await using server = createLimitedServer(
    (_request, response) => void response.end('answered'),
    new ConnectionLimiter(4, chooseIdle),
    CONNECTION_TIMEOUTS,
  )
  await using connection = await connectTo(server)
  connection.write(request('/', { headers: { Host: undefined } }))
  expect(await connection.reply()).toMatchObject({ status: 200, body: 'answered' })
  const chunk = `5\r\n${'x'.repeat(5)}\r\n`
  connection.write(request('/', { headers: { 'Transfer-Encoding': 'chunked' }, body: chunk }))
  expect((await connection.reply()).headers.get('connection')).toBe('close')
  expect(await connection.closed()).toBe('')
})
