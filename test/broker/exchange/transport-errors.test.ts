import { createServer } from 'node:net'
import { request } from 'undici'
import { expect, test } from 'vitest'
import { ENTRA, toTransportError } from '../../../src/broker/exchange/transport-errors.ts'
import { Agent } from '../../../src/lib/undici.ts'
import { listening } from '../../fixtures/listening.ts'

test('bytes that are not HTTP are a wrong response, not a failure to connect', async () => {
  await using server = await listening(
    createServer((socket) => socket.end('SSH-2.0-OpenSSH_9.2\r\n')),
  )
  const dispatcher = new Agent()
  const error = await request(`http://127.0.0.1:${server.port}/`, { dispatcher }).catch(
    (thrown: unknown) => thrown,
  )
  expect(toTransportError(error, ENTRA)).toMatchObject({
    code: 'entra_bad_response',
    message: expect.stringMatching(/^Entra ID answered in another protocol than HTTP. Fix: check /),
  })
  await dispatcher.destroy()
})
