/** The program `wimds-node`, compiled once for a test file. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { compileNative } from '../../fixtures/native.ts'

let path: string | undefined

/** Returns the path of the program. */
export function compiledHelper(): string {
  if (path !== undefined) return path
  const directory = mkdtempSync(join(tmpdir(), 'wimds-helper-'))
  process.once('exit', () => rmSync(directory, { recursive: true }))
  path = join(directory, 'wimds-node')
  compileNative('wimds-node', path)
  return path
}
