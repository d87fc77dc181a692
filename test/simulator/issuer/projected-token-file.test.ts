import { mkdir, mkdtemp, open, readdir, readFile, readlink, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Secret } from '../../../src/secret.ts'
import { createProjectedTokenFile } from '../../../src/simulator/issuer/projected-token-file.ts'

let directory = ''
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'wimds-test-'))
})
afterEach(() => rm(directory, { recursive: true }))

test('the file is a link through ..data into a timestamped directory, readable by any uid', async () => {
  const file = createProjectedTokenFile({ directory, now: () => Date.UTC(2026, 10, 24, 1, 2, 3) })
  await file.write(new Secret('first'))
  expect(file.path).toBe(join(directory, 'azure-identity-token'))
  expect(await readlink(file.path)).toBe('..data/azure-identity-token')
  expect(await readlink(join(directory, '..data'))).toMatch(/^\.\.2026_11_24_01_02_03\.\w+$/u)
  expect((await stat(file.path)).mode & 0o777).toBe(0o644)
  expect((await stat(join(directory, '..data'))).mode & 0o777).toBe(0o755)
})

const whole = (letter: string): string => letter.repeat(100_000)

/** What a reader sees until it is stopped: `a`, `b`, or something that is neither. */
async function watch(path: string, stopped: AbortSignal): Promise<ReadonlySet<string>> {
  const seen = new Set<string>()
  while (!stopped.aborted) {
    const text = await readFile(path, 'utf8').catch((error: unknown) => String(error))
    const [letter = ''] = text
    seen.add(text === whole(letter) ? letter : text.slice(0, 40))
  }
  return seen
}

test('a reader sees the old token or the new one, never a part, through many rotations', async () => {
  const file = createProjectedTokenFile({ directory })
  await file.writeText(whole('a'))
  const stop = new AbortController()
  const watching = watch(file.path, stop.signal)
  for (let turn = 0; turn < 40; turn += 1) await file.writeText(whole(turn % 2 === 0 ? 'b' : 'a'))
  stop.abort()
  // The kubelet removes the old directory at once, too: a reader between two steps finds none.
  const seen = [...(await watching)].filter((text) => !text.startsWith('Error: ENOENT'))
  expect(seen.toSorted()).toEqual(['a', 'b'])
})

test('a descriptor that is kept open goes stale, and old directories go away', async () => {
  const file = createProjectedTokenFile({ directory })
  await file.writeText('first')
  const held = await open(file.path)
  await file.writeText('second')
  expect(await held.readFile('utf8')).toBe('first')
  await held.close()
  expect(await readFile(file.path, 'utf8')).toBe('second')
  const left = (await readdir(directory)).filter((name) => name.startsWith('..2'))
  expect(left).toHaveLength(1)
})

test('writes that overlap take turns, and one that fails holds up none', async () => {
  const file = createProjectedTokenFile({ directory })
  const writes = Array.from({ length: 8 }, (_, turn) => file.writeText(String(turn)))
  await Promise.all(writes)
  expect(await readFile(file.path, 'utf8')).toBe('7')
  const left = (await readdir(directory)).filter((name) => name.startsWith('..2'))
  expect(left).toHaveLength(1)

  const dataLink = join(directory, '..data')
  await rm(dataLink)
  await mkdir(join(dataLink, 'in-the-way'), { recursive: true })
  const failing = file.writeText('lost')
  const after = failing
    .catch(() => rm(dataLink, { recursive: true }))
    .then(() => file.writeText('back'))
  await expect(failing).rejects.toThrow(/EISDIR/)
  await after
  expect(await readFile(file.path, 'utf8')).toBe('back')
})
