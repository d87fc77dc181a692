import { createServer } from 'node:net'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { ServeRequest } from '../../../src/node/agent/broker-pods.ts'
import { Reconciler } from '../../../src/node/agent/reconciler.ts'
import { type Route, RouteFailure } from '../../../src/node/agent/route-pod.ts'
import type { RoutedPod } from '../../../src/node/agent/routed-pod.ts'
import { nodeModePod } from './pods.ts'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

const UID = nodeModePod().metadata.uid
const settle = async () => {
  await vi.advanceTimersByTimeAsync(0)
}

const notFound = () =>
  Promise.reject(new RouteFailure('namespace_not_found', 'no record of a namespace'))

/** The broker of the pods, which says of them what the test says. */
class Broker {
  readonly #served = new Map<string, { request: ServeRequest; end: () => void }>()
  /** The uids of pods that it is to serve no more. */
  readonly closed: string[] = []

  serve(request: ServeRequest, signal: AbortSignal): Promise<void> {
    const { uid } = request.pod
    return new Promise((resolve) => {
      this.#served.set(uid, { request, end: resolve })
      signal.addEventListener('abort', () => {
        this.closed.push(uid)
        resolve()
      })
    })
  }

  say(answer: 'serving' | 'fetching', uid = UID): void {
    this.#served.get(uid)?.request.onAnswer(answer)
  }

  refuse(problem: string, uid = UID): Promise<void> {
    this.#served.get(uid)?.request.onAnswer(new RouteFailure('settings_invalid', problem))
    return settle()
  }

  end(uid = UID): Promise<void> {
    this.#served.get(uid)?.end()
    return settle()
  }
}

/** A reconciler whose attempts the test ends; by default each finds the sandbox that `runtime` has. */
function setUp(attempt?: (pod: RoutedPod) => Promise<void>) {
  const runtime = { hasSandbox: true }
  const attemptNow = () => (runtime.hasSandbox ? Promise.resolve() : notFound())
  const onRoute = vi.fn<(pod: RoutedPod, route: Route) => void>()
  const onEnd = vi.fn<(uid: string) => void>()
  const onFailure = vi.fn<(pod: RoutedPod, error: unknown) => void>()
  const calls = vi.fn<(pod: RoutedPod) => Promise<void>>(attempt ?? attemptNow)
  const close = vi.fn<() => void>()
  const broker = new Broker()
  const reconciler = new Reconciler({
    // As the router: what is routed already is left as it is.
    route: async (pod, previous) => {
      await calls(pod)
      if (previous !== undefined) return previous
      const socket = Object.assign(createServer(), { close })
      return { namespace: 1, path: '', socket, env: {} }
    },
    serve: (request, signal) => broker.serve(request, signal),
    keysOf: () => undefined,
    onRoute,
    onServing: () => {},
    onEnd: ({ uid }) => onEnd(uid),
    onFailure,
  })
  const add = (parts: Parameters<typeof nodeModePod>[0] = {}) => {
    const pod = nodeModePod(parts)
    reconciler.onPod(pod.metadata.uid, pod)
    return settle()
  }
  return { reconciler, add, calls, onRoute, broker, onEnd, onFailure, close, runtime }
}

/** The same; each attempt ends when the test calls its function. */
function setUpSlow() {
  const attempts: (() => void)[] = []
  return { ...setUp(() => new Promise((resolve) => attempts.push(resolve))), attempts }
}

test('all pods wait for the next broker when one has ended', async () => {
  const { add, reconciler, broker } = setUp()
  await add()
  broker.say('serving')
  await vi.advanceTimersByTimeAsync(60_000)
  expect(reconciler.longestPendingMs()).toBe(0)
  await broker.end()
  await vi.advanceTimersByTimeAsync(500)
  expect(reconciler.longestPendingMs()).toBe(500)
  expect(reconciler.counts()).toEqual({ routed: 0, pending: 1 })
})

test('a pod whose tokens are fetched does not wait, since the earlier agent serves it', async () => {
  const { add, reconciler, broker } = setUp()
  await add()
  broker.say('fetching')
  await vi.advanceTimersByTimeAsync(600_000)
  expect(reconciler.longestPendingMs()).toBe(0)
  expect(reconciler.counts()).toEqual({ routed: 0, pending: 1 })
  expect(reconciler.isSettled(true)).toBe(false)
  // The broker may never say more.
  expect(reconciler.isSettled(false)).toBe(true)
  broker.say('serving')
  expect(reconciler.isSettled(true)).toBe(true)
})

test.each([
  ['broker does not answer', undefined, [false, true]],
  ['attempts fail by the settings of the agent', 'kubelet_directory', [false, false]],
  ['attempts fail otherwise', 'tool_failed', [true, true]],
] as const)('a rollout waits for a pod whose %s, or not: %s', async (_, reason, isSettled) => {
  const fail = (failure: typeof reason & string) => () =>
    Promise.reject(new RouteFailure(failure, 'it failed'))
  const { add, reconciler } = setUp(reason && fail(reason))
  await add()
  expect([false, true].map((isLate) => reconciler.isSettled(true, isLate))).toEqual(isSettled)
})

test('an unexpected error leaves a route as it is', async () => {
  const { add, calls, broker, onFailure } = setUp()
  await add()
  calls.mockRejectedValue(new Error('too many open files'))
  await add()
  expect(onFailure).toHaveBeenCalledTimes(1)
  expect(broker.closed).toEqual([])
})

test('looks for the sandboxes of waiting pods at once when the runtime has changed some', async () => {
  const { add, calls, onRoute, reconciler, runtime } = setUp()
  const prepare = vi.fn<() => void>()
  runtime.hasSandbox = false
  reconciler.look(prepare)
  expect(prepare).not.toHaveBeenCalled()
  await add({ addresses: [] })
  runtime.hasSandbox = true
  reconciler.look(prepare)
  await settle()
  expect(onRoute).toHaveBeenCalledTimes(1)
  reconciler.look(prepare)
  await settle()
  expect(prepare).toHaveBeenCalledTimes(1)
  expect(calls).toHaveBeenCalledTimes(2)
})

test('looks for a sandbox again when sandboxes change during an attempt', async () => {
  const { add, calls, reconciler } = setUp(notFound)
  await add({ addresses: [] })
  const attempt = Promise.withResolvers<void>()
  calls.mockReturnValueOnce(attempt.promise)
  reconciler.look(() => {})
  await settle()
  reconciler.look(() => {})
  attempt.reject(new RouteFailure('namespace_not_found', 'not yet'))
  await settle()
  expect(calls).toHaveBeenCalledTimes(3)
})

test('does not shorten the backoff after a failure when sandboxes change', async () => {
  const { add, calls, reconciler } = setUp(() => Promise.reject(new Error('no memory')))
  await add()
  reconciler.look(() => {})
  await settle()
  expect(calls).toHaveBeenCalledTimes(1)
})

test('reports a pod with an address whose sandbox is not found for ten seconds', async () => {
  const { add, onFailure, reconciler } = setUp(notFound)
  void add({ addresses: [] })
  await vi.advanceTimersByTimeAsync(60_000)
  expect(reconciler.longestPendingMs()).toBe(0)
  void add()
  await vi.advanceTimersByTimeAsync(7_000)
  expect(onFailure).not.toHaveBeenCalled()
  await vi.advanceTimersByTimeAsync(6_000)
  expect(onFailure).toHaveBeenCalled()
})

test('reports no failure of a Job whose sandbox has gone before the API server says that it has ended', async () => {
  const { add, onFailure, runtime } = setUp()
  void add()
  await vi.advanceTimersByTimeAsync(60_000)
  runtime.hasSandbox = false
  void add()
  await vi.advanceTimersByTimeAsync(5_000)
  void add({ phase: 'Succeeded' })
  await vi.advanceTimersByTimeAsync(60_000)
  expect(onFailure).not.toHaveBeenCalled()
})

test('reports again and again why the broker refuses a pod, until it serves it', async () => {
  const { add, onFailure, onRoute, reconciler, broker } = setUp()
  await add()
  await broker.refuse('WIMDS_CONFIG: not valid')
  expect(reconciler.isSettled(false)).toBe(true)
  await vi.advanceTimersByTimeAsync(120_000)
  const reported = onFailure.mock.calls.length
  expect(reported).toBeGreaterThan(4)
  expect(onFailure.mock.lastCall?.[1]).toMatchObject({
    reason: 'settings_invalid',
    message: 'WIMDS_CONFIG: not valid',
  })
  expect(reconciler.longestPendingMs()).toBe(120_000)
  broker.say('serving')
  await vi.advanceTimersByTimeAsync(120_000)
  expect(onFailure).toHaveBeenCalledTimes(reported)
  expect(onRoute).toHaveBeenCalledTimes(1)
  await broker.refuse('not valid any more')
  await vi.advanceTimersByTimeAsync(1000)
  // The backoff begins anew.
  expect(onFailure).toHaveBeenCalledTimes(reported + 2)
})

test('forgets a pod that could not be routed when it is deleted, without waiting for the backoff', async () => {
  let isBroken = true
  const { add, onEnd, reconciler } = setUp(() =>
    isBroken ? Promise.reject(new Error('nft: not found')) : notFound(),
  )
  await add()
  await vi.advanceTimersByTimeAsync(120_000)
  await add({ deletionTimestamp: '2026-01-01T00:00:00Z' })
  isBroken = false
  reconciler.onDeleted(UID)
  await settle()
  expect(onEnd.mock.calls).toEqual([[UID]])
  expect(reconciler.counts()).toEqual({ routed: 0, pending: 0 })
})

test('sees a change that comes during an attempt', async () => {
  const { add, attempts, calls } = setUpSlow()
  void add({ addresses: [] })
  await add()
  expect(calls).toHaveBeenCalledTimes(1)
  attempts[0]?.()
  await settle()
  expect(calls.mock.lastCall?.[0].hasAddress).toBe(true)
})

test('closes a socket that comes after the end', async () => {
  const { add, attempts, close, onRoute, reconciler } = setUpSlow()
  await add()
  reconciler.close()
  attempts[0]?.()
  await settle()
  expect(close).toHaveBeenCalledTimes(1)
  expect(onRoute).not.toHaveBeenCalled()
})

test('asks no broker for a pod after the end', async () => {
  const { add, broker, reconciler } = setUp()
  await add()
  reconciler.close()
  const serve = vi.spyOn(broker, 'serve')
  await broker.end()
  expect(serve).not.toHaveBeenCalled()
})
