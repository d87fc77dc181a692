import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { COMPATIBILITY_FILE, formatCompatibility } from './matrix/report.ts'

test('docs/compatibility.md has the clients of the matrix, and the minimum versions that wimds report knows', async () => {
  expect(await readFile(COMPATIBILITY_FILE, 'utf8')).toBe(formatCompatibility())
})
