// An esbuild plugin: parts of libraries that wimds never calls stay out of the bundle, and one that
// it may call is run when it is called. docs/performance.md has what each of them costs.
import { dirname, join } from 'node:path'

/** Modules, by the package that asks for them, that are not in the bundle: calling one throws. */
const LEFT_OUT = [
  // No route has a schema, so nothing compiles validators or serializers; `inject` is for tests.
  { from: 'fastify', module: /^@fastify\/(?:ajv-compiler|fast-json-stringify-compiler)$/ },
  { from: 'fastify', module: /^light-my-request$/ },
  { from: 'fastify', module: /^node:http2$/ },
  // For plugins that name the versions of Fastify they can be used with; ours are our own.
  { from: 'fastify', module: /^semver$/ },
  // For assertions signed with a certificate; ours comes signed from the cluster.
  { from: '@azure/msal-node', module: /^jsonwebtoken$/ },
  // Parsers for processors without SIMD in WebAssembly, and one that an undocumented variable
  // turns on; bodies that are forms.
  { from: 'undici', module: /\/llhttp-wasm\.js$|\/milo\// },
  { from: 'undici/lib/core', module: /\/web\/(?:fetch\/formdata|webidl)$/ },
  { from: 'undici/lib/dispatcher', module: /\/web\/fetch\/body\.js$/ },
  // Translations of messages that only developers see.
  { from: 'zod', module: /\/locales\/index\.js$/ },
]

/** HTTP/2 loads Node's own implementation of it, whether a server speaks it or not. */
const ON_CALL = { from: 'undici', module: /\/client-h2\.js$/ }

export const leftOut = {
  name: 'left-out',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /.*/ }, ({ path, importer, namespace, resolveDir }) => {
      if (namespace === 'on-call') return undefined
      const matches = ({ from, module }) =>
        importer.includes(`/node_modules/${from}/`) && module.test(path)
      if (matches(ON_CALL)) return { path: join(resolveDir, path), namespace: 'on-call' }
      return LEFT_OUT.some(matches) ? { path, namespace: 'left-out' } : undefined
    })
    onLoad({ filter: /.*/, namespace: 'left-out' }, ({ path }) => ({
      contents: `
        const absent = () => { throw new Error('${path} is not in this bundle') }
        module.exports = Object.assign(() => absent, { default: absent })`,
    }))
    onLoad({ filter: /.*/, namespace: 'on-call' }, ({ path }) => ({
      contents: `module.exports = (...args) => require('${path}')(...args)`,
      resolveDir: dirname(path),
    }))
  },
}
