/** The program `wimds-node`, compiled once for a test file, and put on the PATH. */
import { createFolder } from '../../fixtures/folder.ts'
import { compileNative } from '../../fixtures/native.ts'

/** A virtual machine has no compiler, but the program. */
let path = process.env['COMPILED_HELPER']

/** Returns the path of the program. */
export function compiledHelper(): string {
  if (path !== undefined) return path
  const folder = createFolder()
  process.once('exit', () => folder[Symbol.dispose]())
  path = folder.file('wimds-node')
  compileNative('wimds-node', path)
  process.env['PATH'] = `${folder.path}:${process.env['PATH']}`
  return path
}
