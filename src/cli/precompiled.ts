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
 * Loads the command. V8 compiles a function at its first call, which takes half of a sidecar's start. This cache was written
 * after a run, so it has the compiled functions; Node's own compile cache is written before, and has none. V8 rejects a cache
 * from another version or with other flags, and then compiles as usual.
 */
export async function loadServe(): Promise<Command> {
  const filename = join(import.meta.dirname, 'serve.cjs')
  if (!existsSync(filename)) return (await import('../sidecar/serve.ts')).serve
  const cache = `${filename}.cache`
  const cachedData = existsSync(cache) ? readFileSync(cache) : undefined
  const script = new Script(readFileSync(filename, 'latin1'), { filename: 'serve.cjs', cachedData })
  // Frees two megabytes now instead of at V8's next major collection. A small buffer shares its memory with others, and cannot
  // be freed.
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
 * Keeps one of the objects in which `process.nextTick` stores a callback for the life of the process, and returns it. Some
 * seconds after the start, V8 collects garbage. If no such object exists then, V8 drops their hidden class, and every later
 * `nextTick` is slower. Without this function a cached request takes 7 % more CPU. The flag `--no-memory-reducer` has the same
 * effect, but costs 3.5 MiB.
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
