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

test('concurrent writes run one after another', async () => {
  const file = createProjectedTokenFile(directory.path)
  const writes = Array.from({ length: 8 }, (_, turn) => file.write(String(turn)))
  await Promise.all(writes)
  expect(await readFile(file.path, 'utf8')).toBe('7')
  const left = (await readdir(directory.path)).filter((name) => name.startsWith('..2'))
  expect(left).toHaveLength(1)
})
