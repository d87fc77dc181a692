/** Where the bundle begins: has Node take the code that the build compiled, and goes on to the rest. */
import { enableCompileCache } from 'node:module'
import { fileURLToPath } from 'node:url'

// Where the cache cannot be read, or is of another Node or user, the code is compiled anew.
enableCompileCache({
  directory: fileURLToPath(new URL('compile-cache', import.meta.url)),
  portable: true,
})

await import('./cli.ts')
