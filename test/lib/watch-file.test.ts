import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { watchFile } from '../../src/lib/watch-file.ts'

const INTERVAL_MS = 2000

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

/** A watched file whose content is `file.text`; undefined: it cannot be read. */
function createWatched() {
  const file: { text: string | undefined; changes: number } = { text: 'a', changes: 0 }
  const watch = watchFile({
    path: '/file',
    text: 'a',
    readText: () =>
      file.text === undefined ? Promise.reject(new Error('ENOENT')) : Promise.resolve(file.text),
    onChange: () => {
      file.changes += 1
      return Promise.resolve()
    },
  })
  return { file, watch }
}

test('reports each change of the content once', async () => {
  const { file, watch } = createWatched()
  await watch.poll()
  await vi.advanceTimersByTimeAsync(3 * INTERVAL_MS)
  expect(file.changes).toBe(0)
  for (const text of ['b', undefined, 'b']) {
    file.text = text
    await vi.advanceTimersByTimeAsync(3 * INTERVAL_MS)
  }
  expect(file.changes).toBe(3)
  watch.close()
})

test('stops polling when it is closed', async () => {
  const { file, watch } = createWatched()
  await watch.poll()
  watch.close()
  file.text = 'b'
  await vi.advanceTimersByTimeAsync(3 * INTERVAL_MS)
  expect(file.changes).toBe(0)
})
