import { channel } from 'node:diagnostics_channel'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { expect, test } from 'vitest'
import { waitForPort } from '../../src/lib/wait-for-port.ts'
import { freePort } from '../support/free-port.ts'

const never = new AbortController().signal

test('returns false after the time', async () => {
  expect(await waitForPort(await freePort(), 0, never)).toBe(false)
})

test('waits for a port that opens later', async () => {
  const port = await freePort()
  const waited = waitForPort(port, 15_000, never)
  const server = createServer().listen(port, '127.0.0.1')
  await once(server, 'listening')
  expect(await waited).toBe(true)
  server.close()
})

test('returns false once the signal is aborted', async () => {
  expect(await waitForPort(await freePort(), 15_000, AbortSignal.abort())).toBe(false)
})

test('connects less and less often the longer it waits', async () => {
  let attempts = 0
  const sockets = channel('net.client.socket')
  const count = () => (attempts += 1)
  sockets.subscribe(count)
  await waitForPort(await freePort(), 1500, never)
  sockets.unsubscribe(count)
  // 20 in the first second; without the growth of the interval, 30.
  expect(attempts).toBeLessThan(29)
})
