import { once } from 'node:events'
import { createServer } from 'node:net'
import { expect, test } from 'vitest'
import { ENTRA, toTransportError } from '../../../src/sidecar/exchange/transport-errors.ts'
import { Agent, request } from '../../../src/lib/undici.ts'
import { portOf } from '../../fixtures/listening.ts'

test('bytes that are not HTTP are a wrong response, not a failure to connect', async () => {
  const server = createServer((socket) => socket.end('SSH-2.0-OpenSSH_9.2\r\n'))
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const dispatcher = new Agent()
  const error = await request(`http://127.0.0.1:${portOf(server)}/`, { dispatcher }).catch(
    (thrown: unknown) => thrown,
  )
  expect(toTransportError(error, ENTRA)).toMatchObject({
    code: 'entra_bad_response',
    message: expect.stringMatching(/^Entra ID answered in another protocol than HTTP. Fix: check /),
  })
  await dispatcher.destroy()
  server.close()
})
