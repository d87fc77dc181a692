/** The flags of V8 that keep the memory of a sidecar small. */
import { setFlagsFromString } from 'node:v8'

/** Node's own modules that an exchange uses and that take a millisecond to compile. */
const NODE_MODULES = ['assert', 'crypto', 'dns', 'http', 'tls']

/**
 * Sets V8's flags for low memory instead of peak speed, which a sidecar does not need. Call it after the sidecar listens and
 * before the exchange is loaded, since V8 rejects cached code that was compiled under other flags. Node's own modules are
 * cached in this way, too. So this function first loads those that the exchange needs, which would take 20 ms more afterwards.
 */
export function setMemoryFlags(): void {
  for (const name of NODE_MODULES) process.getBuiltinModule(`node:${name}`)
  // One exchange runs undici's HTTP parser long enough for V8 to optimize it, on a thread whose arena
  // keeps 10 MB afterwards. At a few answers an hour the first compilation is fast enough.
  setFlagsFromString('--wasm-tiering-budget=1000000000')
  // V8's middle compiler makes a request no cheaper here, and its threads' arenas keep 10 to 20 MB.
  setFlagsFromString('--no-maglev')
  // V8 grows its heap when many new objects survive for a while, as with thousands of connections that replace each other. It
  // never returns that memory, so a flood would cost 100 MB until the process ends.
  setFlagsFromString('--semi-space-growth-factor=1')
  setFlagsFromString('--heap-growing-percent=50')
  // With a young generation of one megabyte, waking other threads costs more than they save.
  setFlagsFromString('--no-parallel-scavenge')
}
