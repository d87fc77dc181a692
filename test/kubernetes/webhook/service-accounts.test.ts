/** A list and a watch as Kubernetes means them. */
import { expect, test } from 'vitest'
import { followServiceAccounts } from '../../../src/kubernetes/webhook/service-accounts.ts'

const object = (resourceVersion: string, clientId?: string) => ({
  metadata: {
    namespace: 'n',
    name: 'app',
    resourceVersion,
    ...(clientId !== undefined && { annotations: { clientId } }),
  },
})
const event = (type: string, about: object) => JSON.stringify({ type, object: about })
const added = event('ADDED', object('3', 'one'))

/** Follows a source whose watches are these, each ended as it says; stops when they are used up. */
async function followed(watches: readonly (readonly (string | Error)[])[], watchMs = 60_000) {
  const ending = new AbortController()
  const calls: string[] = []
  const pauses: number[] = []
  const seen: unknown[] = []
  const left = [...watches]
  let time = 0
  const stopped = Promise.withResolvers<void>()
  const accounts = followServiceAccounts(
    {
      async list() {
        calls.push('list')
        return { metadata: { resourceVersion: '1' }, items: [] }
      },
      async *watch(version) {
        calls.push(`watch ${version}`)
        const lines = left.shift()
        if (lines === undefined) {
          time += 60_000
          ending.abort()
          stopped.resolve()
          return
        }
        for (const line of lines) {
          if (line instanceof Error) throw line
          yield line
          seen.push(accounts.annotationsOf('n', 'app'))
        }
        time += watchMs
      },
    },
    {
      onError: () => {},
      signal: ending.signal,
      pause: async (ms) => void pauses.push(ms),
      now: () => time,
    },
  )
  await stopped.promise
  return { calls, pauses, seen }
}

test('a watch that the API server ends is taken up where it ended, at once', async () => {
  const bookmark = event('BOOKMARK', { metadata: { resourceVersion: '9' } })
  const { calls, pauses } = await followed([[added], [bookmark], []])
  expect(calls).toEqual(['list', 'watch 1', 'watch 3', 'watch 9', 'watch 9'])
  expect(pauses).toEqual([])
})

test('an API server that ends each watch at once is not asked without a pause', async () => {
  const { pauses } = await followed([[], [], []], 0)
  expect(pauses.slice(0, 3)).toEqual([1000, 1000, 1000])
})

test('additions, changes and deletions are known as soon as they are told', async () => {
  const { seen } = await followed([
    [
      added,
      event('MODIFIED', object('4', 'two')),
      event('MODIFIED', object('5')),
      event('DELETED', object('6')),
    ],
  ])
  expect(seen).toEqual([{ clientId: 'one' }, { clientId: 'two' }, {}, undefined])
})

test('pauses grow with failures in a row, to half a minute, and a good event ends the row', async () => {
  const broken = [new Error('broken')]
  const { calls, pauses } = await followed([
    ...Array.from({ length: 9 }, () => broken),
    [added, ...broken],
    broken,
  ])
  const ceilings = [1, 2, 4, 8, 16, 30, 30, 30, 30, 1, 2].map((seconds) => seconds * 1000)
  expect(pauses).toHaveLength(ceilings.length)
  for (const [index, ceiling] of ceilings.entries()) {
    expect(pauses[index]).toBeLessThanOrEqual(ceiling)
    expect(pauses[index]).toBeGreaterThanOrEqual(ceiling / 2)
  }
  expect(calls.filter((call) => call === 'list')).toHaveLength(12)
})
