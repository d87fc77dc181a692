import { truncate } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { readRegularFile, readWholeFile } from '../../src/lib/files.ts'
import { createFolder } from '../fixtures/folder.ts'
import { namedPipe } from '../fixtures/pipe.ts'

test('reads a whole file of any length and characters, or at most maxBytes of it', async () => {
  using temporary = createFolder()
  for (const text of ['', 'x', 'x€𐍈'.repeat(100_000)]) {
    expect(await readWholeFile(temporary.write('file', text))).toBe(text)
  }
  const file = temporary.write('file', 'x'.repeat(200_000))
  for (const maxBytes of [1, 100_000]) {
    expect(await readRegularFile(file, maxBytes)).toHaveLength(maxBytes)
  }
})

test('rejects a file above 4 MiB', async () => {
  using temporary = createFolder()
  const file = temporary.write('file', '')
  await truncate(file, 4 * 1024 * 1024)
  expect(await readWholeFile(file)).toHaveLength(4 * 1024 * 1024)
  await truncate(file, 4 * 1024 * 1024 + 1)
  await expect(readWholeFile(file)).rejects.toMatchObject({ code: 'EFBIG' })
})

test('rejects a pipe, a device and a directory without waiting', async () => {
  using temporary = createFolder()
  const pipe = await namedPipe(temporary.file('pipe'))
  for (const path of [pipe, '/dev/zero', temporary.path]) {
    await expect(readWholeFile(path)).rejects.toMatchObject({
      code: 'EFTYPE',
      message: `EFTYPE: not a regular file, open '${path}'`,
    })
  }
})
