/**
 * `wimds serve` as the build leaves it: one script, beside it what V8 compiled of it. It stands in the
 * place of commands/serve/serve.ts in the bundle.
 */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { Script } from 'node:vm'
import type { Command } from './commands/io.ts'
import { spareMemory } from './engine.ts'

/** What the script evaluates to. */
type Load = (require: NodeJS.Require) => { readonly serve: Command }

/**
 * V8 compiles the functions of a script when they are called first, which is half of the time that a
 * sidecar takes to listen. Node's own compile cache holds a module as it is before it has run; this
 * one holds those functions too. V8 takes no code of another version: then it compiles anew.
 */
function loadServe(): Command {
  const filename = join(import.meta.dirname, 'serve.cjs')
  const cachedData = readIfThere(`${filename}.cache`)
  const script = new Script(readFileSync(filename, 'latin1'), { filename, cachedData })
  release(cachedData)
  spareMemory()
  const load: Load = script.runInThisContext()
  return load(createRequire(filename)).serve
}

function readIfThere(path: string): Buffer<ArrayBuffer> | undefined {
  try {
    return readFileSync(path)
  } catch {
    return undefined
  }
}

/** Frees more than a megabyte, which V8 would let go of when it next sweeps its old space. */
function release(read: Buffer<ArrayBuffer> | undefined): void {
  // Small buffers share their memory with others.
  if (read?.length === read?.buffer.byteLength) read?.buffer.transfer(0)
}

export const serve = loadServe()
