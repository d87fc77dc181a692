// An esbuild plugin: the sidecar gets those parts of a library that it calls, where the library's
// main module would bring all of them.
import { fileURLToPath } from 'node:url'

const parts = (name) => fileURLToPath(new URL(`${name}.mjs`, import.meta.url))

export const partsAlone = {
  name: 'parts-alone',
  setup({ onResolve }) {
    onResolve({ filter: /^(?:undici|prom-client)$/ }, ({ path, importer }) =>
      importer.includes('/node_modules/') ? undefined : { path: parts(path) },
    )
  },
}
