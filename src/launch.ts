/**
 * Where the bundle begins: settings of Node that have to be made before the rest is loaded. Each is
 * worth its place by the figures of docs/performance.md; wimds runs the same without them.
 */
import { enableCompileCache } from 'node:module'
import { fileURLToPath } from 'node:url'
import { setFlagsFromString } from 'node:v8'

// One exchange runs undici's HTTP parser long enough for V8 to optimize it, on a thread whose arena
// keeps 10 MB afterwards. At a few answers an hour the first compilation is fast enough.
setFlagsFromString('--wasm-tiering-budget=1000000000')
// Young objects get no more than the megabyte that they begin with: else a flood of requests makes V8
// take 80 MB for them, which it gives back much later.
setFlagsFromString('--semi-space-growth-factor=1')
// V8's middle compiler makes a request no cheaper here, and its threads' arenas keep 10 to 20 MB.
setFlagsFromString('--no-maglev')
// Written by the build; where it cannot be read, or is of another Node, the code is compiled anew.
enableCompileCache({
  directory: fileURLToPath(new URL('compile-cache', import.meta.url)),
  portable: true,
})

await import('./cli.ts')
