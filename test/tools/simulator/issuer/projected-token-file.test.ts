import { readlink, stat } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { createProjectedTokenFile } from '../../../../src/tools/simulator/issuer/projected-token-file.ts'
import { createFolder } from '../../../fixtures/folder.ts'

test('the token file is a link through ..data into a timestamped directory, readable by any uid', async () => {
  using directory = createFolder()
  const file = createProjectedTokenFile(directory.path, () => Date.UTC(2026, 10, 24, 1, 2, 3))
  await file.write('first')
  expect(file.path).toBe(directory.file('azure-identity-token'))
  expect(await readlink(file.path)).toBe('..data/azure-identity-token')
  expect(await readlink(directory.file('..data'))).toMatch(/^\.\.2026_11_24_01_02_03\.\w+$/u)
  expect((await stat(file.path)).mode & 0o777).toBe(0o644)
  expect((await stat(directory.file('..data'))).mode & 0o777).toBe(0o755)
})
