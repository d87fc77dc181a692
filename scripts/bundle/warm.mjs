// `node warm.mjs SCRIPT`: runs the sidecar in SCRIPT until SIGTERM, and writes what V8 has compiled of
// it to SCRIPT.cache.
import { readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { Script } from 'node:vm'

const [, , filename] = process.argv
const script = new Script(readFileSync(filename, 'latin1'), { filename })
const ending = new AbortController()
process.once('SIGTERM', () => {
  writeFileSync(`${filename}.cache`, script.createCachedData())
  ending.abort()
})
const { serve } = script.runInThisContext()(createRequire(filename))
const { stdin, stdout, stderr, env } = process
process.exitCode = await serve([], { stdin, stdout, stderr, env, signal: ending.signal })
