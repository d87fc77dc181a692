import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { watchFile } from '../../src/broker/watch-file.ts'

const INTERVAL_MS = 2000

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

/** A watched file whose content is `file.text`; undefined: it cannot be read. */
function createWatched() {
  const file = {
    text: 'a' as string | undefined,
    isAccepted: true,
    changes: [] as (string | undefined)[],
  }
  const watch = watchFile({
    path: '/file',
    text: 'a',
    readText: () =>
      file.text === undefined ? Promise.reject(new Error('ENOENT')) : Promise.resolve(file.text),
    onChange: async (content) => {
      file.changes.push(await content.catch(() => undefined))
      return file.isAccepted
    },
  })
  return { file, watch }
}

test('reports each change once, with the content', async () => {
  const { file, watch } = createWatched()
  await watch.poll()
  await vi.advanceTimersByTimeAsync(3 * INTERVAL_MS)
  expect(file.changes).toEqual([])
  for (const text of ['b', undefined, 'b']) {
    file.text = text
    await vi.advanceTimersByTimeAsync(3 * INTERVAL_MS)
  }
  expect(file.changes).toEqual(['b', undefined, 'b'])
  watch.close()
})

test('reports a content at each poll until the caller is done with it, also if it is the first one again', async () => {
  const { file, watch } = createWatched()
  file.isAccepted = false
  file.text = 'b'
  await watch.poll()
  await vi.advanceTimersByTimeAsync(INTERVAL_MS)
  expect(file.changes).toEqual(['b', 'b'])
  file.isAccepted = true
  file.text = 'a'
  await vi.advanceTimersByTimeAsync(3 * INTERVAL_MS)
  expect(file.changes).toEqual(['b', 'b', 'a'])
  watch.close()
})

test('stops polling when it is closed', async () => {
  const { file, watch } = createWatched()
  await watch.poll()
  watch.close()
  file.text = 'b'
  await vi.advanceTimersByTimeAsync(3 * INTERVAL_MS)
  expect(file.changes).toEqual([])
})
