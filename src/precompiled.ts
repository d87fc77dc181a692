/**
 * `wimds serve` as the build leaves it: one script, beside it what V8 compiled of it. It stands in the
 * place of commands/serve.ts in the bundle.
 */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { Script } from 'node:vm'
import type { Command } from './commands/io.ts'

/** What the script evaluates to. */
type Load = (require: NodeJS.Require) => { readonly serve: Command }

/**
 * V8 compiles the functions of a script when they are called first, which is half of the time that a
 * sidecar takes to listen. Node's own compile cache holds a module as it is before it has run; this
 * one holds those functions too. V8 takes no code of another version: then it compiles anew.
 */
function loadServe(): Command {
  const filename = join(import.meta.dirname, 'serve.cjs')
  const script = new Script(readFileSync(filename, 'latin1'), {
    filename,
    cachedData: readIfThere(`${filename}.cache`),
  })
  const load: Load = script.runInThisContext()
  return load(createRequire(filename)).serve
}

function readIfThere(path: string): Buffer | undefined {
  try {
    return readFileSync(path)
  } catch {
    return undefined
  }
}

export const serve = loadServe()
