import { once } from 'node:events'
import { createServer } from 'node:http'
import { expect, test } from 'vitest'
import { waitForPort } from '../../src/lib/wait-for-port.ts'
import { freePort } from '../support/free-port.ts'

const never = new AbortController().signal

test('waits for a port that opens later', async () => {
  const port = await freePort()
  const waited = waitForPort(port, 15_000, never)
  const server = createServer().listen(port, '127.0.0.1')
  await once(server, 'listening')
  expect(await waited).toBe(true)
  server.close()
})

test('returns false after the time, and once the signal is aborted', async () => {
  const port = await freePort()
  expect(await waitForPort(port, 0, never)).toBe(false)
  expect(await waitForPort(port, 15_000, AbortSignal.abort())).toBe(false)
})
