/** Settings of V8 that take effect while it runs; docs/performance.md has their figures. */
import { createHook } from 'node:async_hooks'
import { setFlagsFromString } from 'node:v8'

/** Node's own modules that an exchange uses and that take a millisecond to compile. */
const NODE_MODULES = ['assert', 'crypto', 'dns', 'http', 'tls']

/**
 * Sets V8's flags for little memory instead of peak speed, which a sidecar does not need. Call it once the
 * sidecar listens and before the exchange is loaded: V8 rejects compiled code that was cached under other
 * flags, Node's own modules included. Those that are needed later are loaded first, or they take 20 ms more.
 */
export function setMemoryFlags(): void {
  for (const name of NODE_MODULES) process.getBuiltinModule(`node:${name}`)
  // One exchange runs undici's HTTP parser long enough for V8 to optimize it, on a thread whose arena
  // keeps 10 MB afterwards. At a few answers an hour the first compilation is fast enough.
  setFlagsFromString('--wasm-tiering-budget=1000000000')
  // V8's middle compiler makes a request no cheaper here, and its threads' arenas keep 10 to 20 MB.
  setFlagsFromString('--no-maglev')
  // V8 makes room for garbage when many new objects live on for a while, as thousands of connections
  // do that are closed for others. The room is never returned, so a flood would cost 100 MB until the process ends.
  setFlagsFromString('--semi-space-growth-factor=1')
  setFlagsFromString('--heap-growing-percent=50')
  // With a young generation of one megabyte, waking other threads costs more than they save.
  setFlagsFromString('--no-parallel-scavenge')
}

/** The object that `keepTickShape` keeps. */
let keptTick: object | undefined

/**
 * Keeps one of the objects in which `process.nextTick` stores a callback, for the life of the process, and
 * returns it. When V8 collects garbage while none exists, as it does some seconds after a start, it drops
 * their hidden class, and from then on every `nextTick` creates its object in the general, slow way. Measured alone:
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
