/** `wimds version`: what runs. */
import { VERSION } from '../version.ts'
import type { CommandIo } from './io.ts'

export async function version(_args: readonly string[], { stdout }: CommandIo): Promise<number> {
  stdout.write(`wimds ${VERSION} (node ${process.version})\n`)
  return 0
}
