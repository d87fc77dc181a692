// `node record-compiled-code.mjs SCRIPT`: runs the sidecar in SCRIPT until SIGTERM, then writes the code that V8
// has compiled of it to SCRIPT.cache. Evaluates it exactly as src/cli/precompiled.ts does.
import { readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import v8, { setFlagsFromString } from 'node:v8'
import { Script } from 'node:vm'

// What V8 optimizes or drops depends on time, and would change the bytes that come out.
const TIMED = [
  'opt',
  'sparkplug',
  'flush-bytecode',
  'concurrent-recompilation',
  'profile-guided-optimization',
]
for (const flag of TIMED) setFlagsFromString(`--no-${flag}`)

const [, , filename] = process.argv
const script = new Script(readFileSync(filename, 'latin1'), { filename: 'serve.cjs' })
const shutdown = new AbortController()
process.once('SIGTERM', () => {
  // V8 rejects code that was compiled under other flags.
  for (const flag of TIMED) setFlagsFromString(`--${flag}`)
  writeFileSync(`${filename}.cache`, script.createCachedData())
  shutdown.abort()
})
const module = { exports: {} }
const requireModule = createRequire(filename)
// Without the flags that the sidecar sets once it listens: they would become flags of the compiled code.
const require = (name) =>
  name === 'node:v8' ? { ...v8, setFlagsFromString: () => {} } : requireModule(name)
script.runInThisContext()(module.exports, require, module)
const { stdin, stdout, stderr, env } = process
process.exitCode = await module.exports.serve([], {
  stdin,
  stdout,
  stderr,
  env,
  signal: shutdown.signal,
})
