// An esbuild plugin: Node's own modules are taken as they are, not as ECMAScript modules.
//
// For an import statement Node reads every export of a module. Those of node:http include WebSocket,
// which loads the whole HTTP client behind `fetch`: 6 MB and 30 ms that a server has no use for.
import { isBuiltin } from 'node:module'

export const builtins = {
  name: 'builtins',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^[a-z]/ }, ({ path, importer }) => {
      if (!isBuiltin(path)) return undefined
      return {
        // One for each file that asks: one for all would become a chunk of its own.
        path: `${importer} ${path}.cjs`,
        namespace: 'builtin',
        pluginData: path,
        sideEffects: false,
      }
    })
    onLoad({ filter: /.*/, namespace: 'builtin' }, ({ pluginData: name }) => ({
      contents: `module.exports = process.getBuiltinModule('${name}')`,
    }))
  },
}
