// `node record-compiled-code.mjs SCRIPT`: runs the sidecar in SCRIPT until SIGTERM, then writes the code that V8 has compiled to
// SCRIPT.cache. Evaluates the script exactly as src/cli/precompiled.ts does, but without timers, optimization and garbage
// collection: these depend on time, so every build would write other bytes.
import { readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { setTimeout as sleep } from 'node:timers/promises'
import v8, { setFlagsFromString } from 'node:v8'
import { Script } from 'node:vm'

const OPTIMIZERS = ['opt', 'sparkplug', 'concurrent-recompilation', 'profile-guided-optimization']
for (const flag of OPTIMIZERS) setFlagsFromString(`--no-${flag}`)

/**
 * The flags to reset before the code is written, since V8 rejects code that was compiled under other flags. The flags of the command
 * line turn garbage collection off. V8 would also collect in idle periods, and the padding of a function in reused memory would have
 * bytes of the function before it.
 */
const DEFAULTS = [...OPTIMIZERS, 'initial-heap-size=0', 'min-semi-space-size=0', 'memory-reducer']

/** The longest delay of a timer. No timer of the sidecar fires. */
const NEVER_MS = 2 ** 31 - 1
for (const name of ['setTimeout', 'setInterval']) {
  const original = globalThis[name]
  globalThis[name] = (callback, _ms, ...args) => original(callback, NEVER_MS, ...args)
}
AbortSignal.timeout = () => new AbortController().signal
const REPLACED = {
  'node:timers/promises': { setTimeout: (_ms, ...args) => sleep(NEVER_MS, ...args) },
  // The sidecar sets flags once it listens. They would become flags of the compiled code.
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
