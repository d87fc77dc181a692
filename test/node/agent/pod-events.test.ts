import { expect, onTestFinished, test, vi } from 'vitest'
import { connectToApiServer } from '../../../src/kubernetes/api-client.ts'
import { createPodEvents } from '../../../src/node/agent/pod-events.ts'
import { answer, startApiServer } from '../../fixtures/api-server.ts'
import { routedPod } from './pods.ts'

const HALF_AN_HOUR_MS = 30 * 60_000
const MISSING = 'no network namespace has the address'

/** Writes against an API server that rejects the first `failures` events. */
async function setUp({ failures = 0 } = {}) {
  const events: { involvedObject: { uid: string }; message: string }[] = []
  const api = await startApiServer({
    'POST /api/v1/namespaces/shop/events': (response, count, body) => {
      events.push(JSON.parse(body))
      answer(response, count <= failures ? 503 : 201, {})
    },
  })
  vi.useFakeTimers({ toFake: ['performance'] })
  onTestFinished(() => void vi.useRealTimers())
  // To the cache, 0 is no time.
  vi.advanceTimersByTime(1)
  const onError = vi.fn<(error: unknown) => void>()
  const write = createPodEvents({
    api: connectToApiServer(new AbortController().signal),
    nodeName: 'node-1',
    onError,
  })
  return {
    write: (uid: string, message: string) => write(routedPod({ uid }), message),
    pass: (ms: number) => vi.advanceTimersByTime(ms),
    onError,
    written: () => events.map(({ involvedObject, message }) => [involvedObject.uid, message]),
    [Symbol.asyncDispose]: () => api[Symbol.asyncDispose](),
  }
}

test('writes an event for each pod and message, and not for every attempt', async () => {
  await using events = await setUp()
  for (let attempt = 0; attempt < 20; attempt += 1) {
    await events.write('a', MISSING)
    await events.write('b', MISSING)
    await events.write('a', 'nft: not found')
    events.pass(30_000)
  }
  expect(events.written()).toEqual([
    ['a', MISSING],
    ['b', MISSING],
    ['a', 'nft: not found'],
  ])
})

test('reports an event that could not be written, and writes it at the next attempt', async () => {
  await using events = await setUp({ failures: 1 })
  await events.write('a', MISSING)
  expect(events.onError.mock.calls).toEqual([
    [
      expect.objectContaining({
        message: expect.stringContaining('shop/app: the API server answered 503'),
      }),
    ],
  ])
  await events.write('a', MISSING)
  await events.write('a', MISSING)
  expect(events.written()).toEqual([
    ['a', MISSING],
    ['a', MISSING],
  ])
})

test('writes few events of a pod whose broker makes up messages', async () => {
  await using events = await setUp()
  for (let at = 0; at < 50; at += 1) await events.write('a', `problem ${at}`)
  await events.write('b', MISSING)
  expect(events.written()).toHaveLength(11)
  expect(events.written().at(-1)).toEqual(['b', MISSING])
  events.pass(HALF_AN_HOUR_MS + 1)
  await events.write('a', 'problem 50')
  expect(events.written().at(-1)).toEqual(['a', 'problem 50'])
})
