import { once } from 'node:events'
import { createServer } from 'node:http'
import { expect, test } from 'vitest'
import { chooseIdle, ConnectionLimiter } from '../../../src/broker/server/connections.ts'
import { openConnection, request } from '../../fixtures/connection.ts'
import { portOf } from '../../fixtures/listening.ts'

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
