import { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { expect, onTestFinished, test, vi } from 'vitest'
import { createFairTurns, limitRate } from '../../../src/node/broker/fair-turns.ts'
import { createSemaphore } from '../../../src/lib/semaphore.ts'

/** Two pods; each answer adds the name of its pod to `answered`. */
function setUp() {
  const answered: string[] = []
  const turns = createFairTurns()
  const createPod = (name: string) => {
    const listener = turns(() => answered.push(name))
    return (socket = new Socket()) => {
      const request = new IncomingMessage(socket)
      listener(request, new ServerResponse(request))
    }
  }
  return { answered, flood: createPod('flood'), neighbour: createPod('neighbour') }
}

test('answers a request of a pod at once', () => {
  const { answered, neighbour } = setUp()
  neighbour()
  expect(answered).toEqual(['neighbour'])
})

test('answers a neighbour before the further requests of a pod, and then all of these', async () => {
  const { answered, flood, neighbour } = setUp()
  for (let count = 0; count < 20; count += 1) flood()
  neighbour()
  expect(answered).toEqual(['flood', 'flood', 'flood', 'flood', 'neighbour'])
  for (let turn = 0; turn < 4; turn += 1) {
    await nextTurn()
    neighbour()
    expect(answered.at(-1)).toBe('neighbour')
  }
  expect(answered.filter((name) => name === 'flood')).toHaveLength(20)
})

test('answers four requests every 5 ms while more than 16 of a pod wait', async () => {
  vi.useFakeTimers()
  onTestFinished(() => void vi.useRealTimers())
  const { answered, flood, neighbour } = setUp()
  const countFlood = () => answered.filter((name) => name === 'flood').length
  for (let count = 0; count < 32; count += 1) flood()
  await vi.advanceTimersByTimeAsync(4)
  expect(countFlood()).toBe(8)
  neighbour()
  expect(answered.at(-1)).toBe('neighbour')
  await vi.advanceTimersByTimeAsync(2)
  expect(countFlood()).toBe(12)
  // After one more pause 16 wait, which get their turns at once.
  await vi.advanceTimersByTimeAsync(10)
  expect(countFlood()).toBe(32)
  // Without a request there is no next turn.
  await vi.runAllTimersAsync()
})

test('does not answer a waiting request whose caller has hung up', async () => {
  const { answered, flood } = setUp()
  const gone = new Socket()
  for (let count = 0; count < 4; count += 1) flood()
  flood(gone)
  flood()
  gone.destroy()
  await nextTurn()
  expect(answered).toHaveLength(5)
})

test('calls start at an interval after a burst, and a pause allows the next burst', async () => {
  vi.useFakeTimers()
  onTestFinished(() => void vi.useRealTimers())
  const limit = limitRate(createSemaphore({ maxConcurrent: 3 }), { burst: 2, intervalMs: 10 })
  const begin = performance.now()
  const start = () => limit(async () => performance.now() - begin)
  const startFour = () => Promise.all([start(), start(), start(), start()])
  const first = startFour()
  await vi.advanceTimersByTimeAsync(100)
  await expect(first).resolves.toEqual([0, 0, 10, 20])
  const second = startFour()
  await vi.advanceTimersByTimeAsync(100)
  await expect(second).resolves.toEqual([100, 100, 110, 120])
})
