/** Loads `wimds serve`: from one script and its compiled code if the build has written them, else from source. */
import { createHook } from 'node:async_hooks'
import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { Script } from 'node:vm'
import type { Command } from '../lib/command.ts'

type Exports = Readonly<Record<string, Command>>
type CommonJsModule = (
  exports: Exports,
  require: NodeJS.Require,
  module: { exports: Exports },
) => void

/**
 * Returns the command. V8 compiles a function when it is first called, which is half of the time that
 * a sidecar takes to listen. Node's compile cache stores a module before it has run; this one also has the
 * functions. V8 rejects code of another version or other flags, and then compiles as usual.
 */
export async function loadServe(): Promise<Command> {
  const filename = join(import.meta.dirname, 'serve.cjs')
  if (!existsSync(filename)) return (await import('../sidecar/serve.ts')).serve
  const cache = `${filename}.cache`
  const cachedData = existsSync(cache) ? readFileSync(cache) : undefined
  const script = new Script(readFileSync(filename, 'latin1'), { filename: 'serve.cjs', cachedData })
  // Frees two megabytes now and not at V8's next major collection. Small buffers share their memory.
  if (cachedData?.length === cachedData?.buffer.byteLength) cachedData?.buffer.transfer(0)
  keepTickShape()
  const module: { exports: Exports } = { exports: {} }
  const evaluate: CommonJsModule = script.runInThisContext()
  evaluate(module.exports, createRequire(filename), module)
  const { serve } = module.exports
  if (serve === undefined) throw new Error(`${filename} does not export serve`)
  return serve
}

/** The object that `keepTickShape` keeps. */
let keptTick: object | undefined

/**
 * Keeps one of the objects in which `process.nextTick` stores a callback, for the life of the process, and
 * returns it. When V8 collects garbage while none exists, as it does some seconds after a start, it drops
 * their hidden class, and from then on every `nextTick` creates its object in the general, slow way. Measured separately:
 * without it a cached request takes 7 % more CPU; `--no-memory-reducer` does the same for 3.5 MiB.
 */
export function keepTickShape(): object | undefined {
  const hook = createHook({
    init: (_id, type, _triggerId, resource) => {
      if (type === 'TickObject') keptTick = resource
    },
  }).enable()
  process.nextTick(() => undefined)
  hook.disable()
  return keptTick
}
