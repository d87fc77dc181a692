/** `wimds version`: prints the version. */
import { VERSION } from '../version.ts'
import type { CommandIo } from './io.ts'

/** Prints the version of wimds and that of its Node. */
export async function version(_args: readonly string[], { stdout }: CommandIo): Promise<number> {
  stdout.write(`wimds ${VERSION} (node ${process.version})\n`)
  return 0
}
