/** The program `wimds-node`, compiled once for a test file. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { compileNative } from '../../fixtures/native.ts'

let directory: string | undefined

/** Returns the directory of the program, for the PATH. */
export function helperDirectory(): string {
  if (directory !== undefined) return directory
  const created = mkdtempSync(join(tmpdir(), 'wimds-helper-'))
  process.once('exit', () => rmSync(created, { recursive: true }))
  compileNative('wimds-node', join(created, 'wimds-node'))
  return (directory = created)
}

export const compiledHelper = () => join(helperDirectory(), 'wimds-node')
