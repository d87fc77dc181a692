/** `wimds webhook` as a whole, before an API server with faults. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { webhook } from '../../src/commands/webhook/webhook.ts'
import { answer, apiServer, PATCH_SECRET, READ_SECRET, VERSION } from '../fixtures/api-server.ts'
import { captureIo } from './capture.ts'

const FLAGS = ['--listen=127.0.0.1:0', '--admin-listen=127.0.0.1:0', '--drain=0s']

let ending: AbortController
beforeEach(() => {
  ending = new AbortController()
})
afterEach(() => ending.abort())

/** Runs it; what it has logged, and what it ends with. */
function running() {
  const io = { ...captureIo(), signal: ending.signal }
  const ended = webhook(FLAGS, io)
  return { log: io.out, ended }
}

test('goes on to serve after an API server that failed at first', async () => {
  await using api = await apiServer({
    [VERSION]: (response, count) =>
      count === 1 ? answer(response, 500, 'a-body') : answer(response, 200, { minor: '31' }),
  })
  const { log, ended } = running()
  await expect.poll(log, { timeout: 5000 }).toContain('"certificate_loaded"')
  expect(log()).toContain('"message":"the API server answered 500"')
  expect(log()).toContain('"hasNativeSidecars":true')
  expect(api.asked(VERSION)).toBe(2)
  ending.abort()
  expect(await ended).toBe(0)
  await expect.poll(() => api.watches.length).toBe(0)
})

test.each([
  ['the version', VERSION],
  ['its Secret', READ_SECRET],
  ['its Secret to be written', PATCH_SECRET],
])('ends at once while it waits for %s', async (_, call) => {
  await using api = await apiServer({ [call]: () => {} })
  const { log, ended } = running()
  await expect.poll(() => api.asked(call)).toBe(1)
  const begin = performance.now()
  ending.abort()
  expect(await ended).toBe(0)
  expect(performance.now() - begin).toBeLessThan(1000)
  expect(log()).not.toContain('webhook_error')
})

test('ends at once while the API server refuses its certificate', async () => {
  await using api = await apiServer({
    [PATCH_SECRET]: (response) => answer(response, 422, {}),
  })
  const { log, ended } = running()
  await expect.poll(log).toContain('could not be stored')
  ending.abort()
  expect(await ended).toBe(0)
  expect(api.asked(PATCH_SECRET)).toBe(3)
})
