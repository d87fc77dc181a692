import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Reconciler } from '../../../src/cluster/node-agent/reconciler.ts'
import { type Route, RouteFailure } from '../../../src/cluster/node-agent/route-pod.ts'
import type { RoutedPod } from '../../../src/cluster/node-agent/routed-pod.ts'
import { nodeModePod } from './pods.ts'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

/** A reconciler whose attempts the test ends. */
function setUp(route: (pod: RoutedPod) => Promise<void>) {
  const onRouted = vi.fn<(pod: RoutedPod, durationMs: number) => void>()
  const onFailure = vi.fn<(pod: RoutedPod, error: unknown) => void>()
  const calls = vi.fn<(pod: RoutedPod) => Promise<void>>(route)
  const sandbox = { namespace: '/var/run/netns/first' }
  const reconciler = new Reconciler({
    // As the router: what is routed already is left as it is.
    route: async (pod, previous) => {
      const made: Route = { ...sandbox, isSidecarStarted: pod.isSidecarStarted }
      const isRouted =
        previous?.namespace === made.namespace &&
        previous.isSidecarStarted === made.isSidecarStarted
      if (!isRouted) await calls(pod)
      return made
    },
    onRouted,
    onFailure,
  })
  const add = (parts: Parameters<typeof nodeModePod>[0] = {}) => {
    const pod = nodeModePod(parts)
    reconciler.onPod(pod.metadata.uid, pod)
  }
  return { reconciler, add, calls, onRouted, onFailure, sandbox }
}

const settle = () => vi.advanceTimersByTimeAsync(0)

test('routes a pod once, and again when its sidecar has started', async () => {
  const { add, calls, onRouted, reconciler } = setUp(() => Promise.resolve())
  add()
  await settle()
  add()
  await settle()
  expect(calls).toHaveBeenCalledTimes(1)
  add({ isStarted: true })
  await settle()
  expect(calls).toHaveBeenCalledTimes(2)
  expect(onRouted).toHaveBeenCalledTimes(1)
  expect(reconciler.counts()).toEqual({ routed: 1, pending: 0 })
})

test('routes a pod again when its sidecar starts again, as in a new sandbox', async () => {
  const { add, calls } = setUp(() => Promise.resolve())
  add({ isStarted: true })
  await settle()
  add({ isStarted: false })
  await settle()
  expect(calls).toHaveBeenCalledTimes(2)
})

test('routes a pod again in a new sandbox before its sidecar has started', async () => {
  const { add, calls, sandbox } = setUp(() => Promise.resolve())
  add({ addresses: [] })
  await settle()
  sandbox.namespace = '/var/run/netns/second'
  add()
  await settle()
  add()
  await settle()
  expect(calls).toHaveBeenCalledTimes(2)
})

const notFound = () =>
  Promise.reject(new RouteFailure('namespace_not_found', 'no record of a namespace'))

test('reports no failure while a pod has no sandbox yet', async () => {
  let hasSandbox = false
  const { add, onFailure, onRouted, reconciler } = setUp(() =>
    hasSandbox ? Promise.resolve() : notFound(),
  )
  add({ addresses: [] })
  await vi.advanceTimersByTimeAsync(600_000)
  expect(onFailure).not.toHaveBeenCalled()
  expect(reconciler.longestPendingMs()).toBe(0)
  expect(reconciler.counts()).toEqual({ routed: 0, pending: 1 })
  hasSandbox = true
  await vi.advanceTimersByTimeAsync(2000)
  expect(onRouted).toHaveBeenCalledTimes(1)
})

test('looks for the sandbox five times a second at first, and at once when the pod has an address', async () => {
  let hasSandbox = false
  const { add, calls, onRouted } = setUp(() => (hasSandbox ? Promise.resolve() : notFound()))
  add({ addresses: [] })
  await vi.advanceTimersByTimeAsync(1000)
  expect(calls.mock.calls.length).toBeGreaterThanOrEqual(4)
  await vi.advanceTimersByTimeAsync(600_000)
  const before = calls.mock.calls.length
  await vi.advanceTimersByTimeAsync(60_000)
  expect(calls.mock.calls.length - before).toBeLessThanOrEqual(31)
  hasSandbox = true
  add()
  await settle()
  expect(onRouted).toHaveBeenCalledTimes(1)
})

test('reports a pod with an address whose sandbox is not found for ten seconds', async () => {
  const { add, onFailure } = setUp(notFound)
  add({ addresses: [] })
  await vi.advanceTimersByTimeAsync(60_000)
  add()
  await vi.advanceTimersByTimeAsync(7_000)
  expect(onFailure).not.toHaveBeenCalled()
  await vi.advanceTimersByTimeAsync(6_000)
  expect(onFailure).toHaveBeenCalled()
})

test('reports no failure of a Job whose sandbox has gone before the API server says that it has ended', async () => {
  let hasEnded = false
  const { add, onFailure } = setUp(() => (hasEnded ? notFound() : Promise.resolve()))
  add({ isStarted: true })
  await vi.advanceTimersByTimeAsync(60_000)
  hasEnded = true
  add({ isStarted: false })
  await vi.advanceTimersByTimeAsync(5_000)
  add({ phase: 'Succeeded' })
  await vi.advanceTimersByTimeAsync(60_000)
  expect(onFailure).not.toHaveBeenCalled()
})

test('tries again with backoff, without a second attempt for changes in between', async () => {
  let isBroken = true
  const { add, calls, onFailure, onRouted, reconciler } = setUp(() =>
    isBroken ? Promise.reject(new Error('nft: not found')) : Promise.resolve(),
  )
  add()
  await settle()
  add({ isStarted: true })
  await settle()
  expect(calls).toHaveBeenCalledTimes(1)
  expect(onFailure).toHaveBeenCalledTimes(1)
  expect(reconciler.counts()).toEqual({ routed: 0, pending: 1 })
  isBroken = false
  await vi.advanceTimersByTimeAsync(1000)
  expect(calls.mock.lastCall?.[0].isSidecarStarted).toBe(true)
  expect(onRouted).toHaveBeenCalledTimes(1)
})

test('tells how long the pod has waited that waits longest', async () => {
  const { add, reconciler } = setUp(({ uid }) =>
    uid === 'routed' ? Promise.resolve() : Promise.reject(new Error('nft: not found')),
  )
  expect(reconciler.longestPendingMs()).toBe(0)
  add({ uid: 'routed' })
  add({ uid: 'first' })
  await vi.advanceTimersByTimeAsync(100_000)
  add({ uid: 'second' })
  await vi.advanceTimersByTimeAsync(50_000)
  expect(reconciler.longestPendingMs()).toBe(150_000)
  reconciler.onDeleted('first')
  expect(reconciler.longestPendingMs()).toBe(50_000)
  reconciler.onDeleted('second')
  expect(reconciler.longestPendingMs()).toBe(0)
})

test('counts from its failure how long a pod waits that was routed before', async () => {
  let isBroken = false
  const { add, onRouted, reconciler } = setUp(() =>
    isBroken ? Promise.reject(new Error('nft: not found')) : Promise.resolve(),
  )
  add()
  await vi.advanceTimersByTimeAsync(3_600_000)
  isBroken = true
  add({ isStarted: true })
  await vi.advanceTimersByTimeAsync(100)
  expect(reconciler.longestPendingMs()).toBe(100)
  isBroken = false
  await vi.advanceTimersByTimeAsync(1000)
  expect(onRouted.mock.lastCall?.[1]).toBeLessThan(1100)
})

test('sees a change that comes during an attempt', async () => {
  const attempts: (() => void)[] = []
  const { add, calls } = setUp(() => new Promise((resolve) => attempts.push(resolve)))
  add()
  add({ isStarted: true })
  await settle()
  expect(calls).toHaveBeenCalledTimes(1)
  attempts[0]?.()
  await settle()
  expect(calls.mock.lastCall?.[0].isSidecarStarted).toBe(true)
})

test('makes four attempts at the same time at most', async () => {
  const attempts: (() => void)[] = []
  const { add, calls } = setUp(() => new Promise((resolve) => attempts.push(resolve)))
  for (const number of Array.from({ length: 30 }).keys()) add({ uid: `pod-${number}` })
  await settle()
  expect(calls).toHaveBeenCalledTimes(4)
  while (attempts.length > 0) {
    attempts.shift()?.()
    await settle()
  }
  expect(new Set(calls.mock.calls.map(([{ uid }]) => uid)).size).toBe(30)
})

test('does not report the failure of a pod that has been deleted in the meantime', async () => {
  const { add, onFailure, reconciler, calls } = setUp(() => Promise.reject(new Error('gone')))
  add({ uid: 'pod-1' })
  reconciler.onDeleted('pod-1')
  await settle()
  await vi.advanceTimersByTimeAsync(60_000)
  expect(calls).toHaveBeenCalledTimes(1)
  expect(onFailure).not.toHaveBeenCalled()
})

test('forgets pods that a list does not have, and those that have ended', async () => {
  const { add, reconciler } = setUp(() => Promise.resolve())
  for (const uid of ['a', 'b', 'c']) add({ uid })
  await settle()
  reconciler.onListed(new Set(['a', 'b']))
  add({ uid: 'b', phase: 'Failed' })
  expect(reconciler.counts()).toEqual({ routed: 1, pending: 0 })
})
