// `node record-compiled-code.mjs SCRIPT`: runs the sidecar in SCRIPT until SIGTERM, then writes the code that V8
// has compiled of it to SCRIPT.cache. Evaluates it exactly as src/cli/precompiled.ts does, but without what depends
// on time, which would change the bytes that come out: timers, optimization and garbage collection.
import { readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { setTimeout as sleep } from 'node:timers/promises'
import v8, { setFlagsFromString } from 'node:v8'
import { Script } from 'node:vm'

const OPTIMIZERS = ['opt', 'sparkplug', 'concurrent-recompilation', 'profile-guided-optimization']
for (const flag of OPTIMIZERS) setFlagsFromString(`--no-${flag}`)

/**
 * Restores the defaults, since V8 rejects code that was compiled under other flags. The flags of the command line turn
 * garbage collection off: V8 also collects in idle periods, and the padding of a function that is compiled into reused
 * memory has the bytes of its predecessor.
 */
const DEFAULTS = [...OPTIMIZERS, 'initial-heap-size=0', 'min-semi-space-size=0', 'memory-reducer']

/** No timer of the sidecar fires: this is the longest delay. */
const NEVER_MS = 2 ** 31 - 1
for (const name of ['setTimeout', 'setInterval']) {
  const original = globalThis[name]
  globalThis[name] = (callback, _ms, ...args) => original(callback, NEVER_MS, ...args)
}
AbortSignal.timeout = () => new AbortController().signal
const REPLACED = {
  'node:timers/promises': { setTimeout: (_ms, ...args) => sleep(NEVER_MS, ...args) },
  // Without the flags that the sidecar sets once it listens: they would become flags of the compiled code.
  'node:v8': { ...v8, setFlagsFromString: () => {} },
}

const [, , filename] = process.argv
const script = new Script(readFileSync(filename, 'latin1'), { filename: 'serve.cjs' })
process.once('SIGTERM', () => {
  for (const flag of DEFAULTS) setFlagsFromString(`--${flag}`)
  writeFileSync(`${filename}.cache`, script.createCachedData())
  process.exit()
})
const module = { exports: {} }
const requireModule = createRequire(filename)
const require = (name) => REPLACED[name] ?? requireModule(name)
script.runInThisContext()(module.exports, require, module)
const { stdin, stdout, stderr, env } = process
const { signal } = new AbortController()
process.exitCode = await module.exports.serve([], { stdin, stdout, stderr, env, signal })
