import { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { expect, onTestFinished, test, vi } from 'vitest'
import { createFairTurns, spaceOut } from '../../../src/cluster/node-broker/fair-turns.ts'
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

test('answers a neighbour before the further requests of a flood, and then all of these', async () => {
  const { answered, flood, neighbour } = setUp()
  for (let count = 0; count < 100; count += 1) flood()
  neighbour()
  expect(answered.filter((name) => name === 'flood')).toHaveLength(4)
  expect(answered.at(-1)).toBe('neighbour')
  for (let turn = 0; turn < 25; turn += 1) {
    await nextTurn()
    neighbour()
    expect(answered.at(-1)).toBe('neighbour')
  }
  expect(answered.filter((name) => name === 'flood')).toHaveLength(100)
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

test('exchanges start at an interval, and at once after a longer pause', async () => {
  vi.useFakeTimers()
  onTestFinished(() => void vi.useRealTimers())
  const limit = spaceOut(createSemaphore({ maxConcurrent: 3 }), 10)
  const begin = performance.now()
  const start = () => limit(async () => performance.now() - begin)
  const starts = Promise.all([start(), start(), start(), start()])
  await vi.advanceTimersByTimeAsync(100)
  await expect(starts).resolves.toEqual([0, 10, 20, 30])
  await expect(start()).resolves.toBe(100)
})
