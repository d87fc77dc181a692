import { readdir, readFile, readlink, stat } from 'node:fs/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createProjectedTokenFile } from '../../../../src/tools/simulator/issuer/projected-token-file.ts'
import { createFolder, type Folder } from '../../../fixtures/folder.ts'

let directory: Folder
beforeEach(() => {
  directory = createFolder()
})
afterEach(() => directory[Symbol.dispose]())

test('the token file is a link through ..data into a timestamped directory, readable by any uid', async () => {
  const file = createProjectedTokenFile(directory.path, () => Date.UTC(2026, 10, 24, 1, 2, 3))
  await file.write('first')
  expect(file.path).toBe(directory.file('azure-identity-token'))
  expect(await readlink(file.path)).toBe('..data/azure-identity-token')
  expect(await readlink(directory.file('..data'))).toMatch(/^\.\.2026_11_24_01_02_03\.\w+$/u)
  expect((await stat(file.path)).mode & 0o777).toBe(0o644)
  expect((await stat(directory.file('..data'))).mode & 0o777).toBe(0o755)
})

const whole = (letter: string): string => letter.repeat(100_000)

/** Returns everything that a reader got until it was stopped: `a`, `b`, or the beginning of another text. */
async function watch(path: string, stopped: AbortSignal): Promise<ReadonlySet<string>> {
  const seen = new Set<string>()
  while (!stopped.aborted) {
    const text = await readFile(path, 'utf8').catch((error: unknown) => String(error))
    const [letter = ''] = text
    seen.add(text === whole(letter) ? letter : text.slice(0, 40))
  }
  return seen
}

test('a reader gets the old or the new token, never a part', async () => {
  const file = createProjectedTokenFile(directory.path)
  await file.write(whole('a'))
  const stop = new AbortController()
  const watching = watch(file.path, stop.signal)
  for (let turn = 0; turn < 40; turn += 1) await file.write(whole(turn % 2 === 0 ? 'b' : 'a'))
  stop.abort()
  // A reader between two steps finds no file, since the kubelet removes the old directory at once.
  const seen = [...(await watching)].filter((text) => !text.startsWith('Error: ENOENT'))
  expect(seen.toSorted()).toEqual(['a', 'b'])
})

test('concurrent writes run one after another', async () => {
  const file = createProjectedTokenFile(directory.path)
  const writes = Array.from({ length: 8 }, (_, turn) => file.write(String(turn)))
  await Promise.all(writes)
  expect(await readFile(file.path, 'utf8')).toBe('7')
  const left = (await readdir(directory.path)).filter((name) => name.startsWith('..2'))
  expect(left).toHaveLength(1)
})
