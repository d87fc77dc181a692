import { once } from 'node:events'
import { createServer } from 'node:http'
import { expect, test } from 'vitest'
import { chooseIdle, ConnectionLimiter } from '../../src/service/connections.ts'
import { openConnection, request, waitFor } from '../fixtures/connection.ts'
import { portOf } from '../fixtures/listening.ts'

test('a request that follows a written reply is answered before that reply has closed', async () => {
  await using server = createServer()
  new ConnectionLimiter(4, chooseIdle).attach(server, (_request, response) => {
    response.end('answered')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  await using connection = await openConnection(portOf(server))
  // Node parses both in one turn of the event loop, in which the first reply is written.
  connection.write(request('/first') + request('/second'))
  expect((await connection.reply()).body).toBe('answered')
  expect((await connection.reply()).body).toBe('answered')
  connection.destroy()
})

test('a connection whose first request comes after the drain began is answered, and then closed', async () => {
  const limiter = new ConnectionLimiter(4, chooseIdle)
  await using server = createServer()
  limiter.attach(server, (_request, response) => void response.end('answered'))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  await using connection = await openConnection(portOf(server))
  await waitFor(() => limiter.open[0])
  limiter.drain()
  connection.write(request('/first'))
  const { body, headers } = await connection.reply()
  expect(body).toBe('answered')
  expect(headers.get('connection')).toBe('close')
  expect(await connection.closed()).toBe('')
})
