// Builds dist/: wimds.js, the command line; commands/, a module per command with the chunks that they share;
// and serve.cjs, the sidecar as one script with its compiled code beside it (docs/decisions/0007).
import { rm, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { compileSidecar } from './compile.mjs'
import { notices } from './notices.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const dist = `${root}dist/`
const common = {
  absWorkingDir: root,
  outdir: dist,
  outbase: 'src',
  bundle: true,
  // Function names stay: stack traces in log lines show them.
  minifyWhitespace: true,
  minifySyntax: true,
  platform: 'node',
  target: 'node22',
  legalComments: 'none',
  logLevel: 'warning',
  metafile: true,
}
const script = {
  ...common,
  format: 'cjs',
  define: { 'import.meta.dirname': '__dirname', 'import.meta.filename': '__filename' },
}

/**
 * Leaves the command modules out of wimds.js and collects them as entry points. The flags of the
 * azure-workload-identity proxy stay in it, since they run serve.cjs.
 */
const commands = []
const separateCommands = {
  name: 'separate-commands',
  setup({ onResolve }) {
    onResolve({ filter: /^\.\/commands\/.*\.ts$/ }, ({ path, kind }) => {
      if (kind !== 'dynamic-import' || path.includes('drop-in')) return undefined
      commands.push(`src/${path}`)
      return { path: path.replace(/ts$/, 'mjs'), external: true }
    })
  },
}

/**
 * Packages that the sidecar's dependencies load and that it never calls. Without them it starts with 4 MB less:
 * schema compilers and `inject` of Fastify, MSAL's certificate assertions, Node's HTTP/2.
 */
const NEVER_CALLED = [
  '@fastify/ajv-compiler',
  '@fastify/fast-json-stringify-compiler',
  'light-my-request',
  'semver',
  'jsonwebtoken',
  'node:http2',
]

await rm(dist, { recursive: true, force: true })
const cli = await build({
  ...script,
  entryPoints: { wimds: 'src/cli.ts' },
  // The image puts its Node's absolute path here.
  banner: { js: '#!/usr/bin/env node' },
  plugins: [separateCommands],
})
const sidecar = await build({
  ...script,
  entryPoints: { serve: 'src/commands/serve/serve.ts' },
  outExtension: { '.js': '.cjs' },
  alias: Object.fromEntries(NEVER_CALLED.map((name) => [name, './scripts/not-bundled.cjs'])),
  // As src/precompiled.ts calls it. Wrapping the text there would hold it in memory twice.
  banner: { js: '(function(exports,require,module){' },
  footer: { js: '})' },
  // vm.Script, which runs it, has no `import()`.
  supported: { 'dynamic-import': false },
})
const others = await build({
  ...common,
  entryPoints: commands.filter((path) => !path.endsWith('/serve.ts')),
  format: 'esm',
  splitting: true,
  outExtension: { '.js': '.mjs' },
  // For CommonJS packages.
  banner: {
    js: "import{createRequire as $createRequire}from'node:module';const require=$createRequire(import.meta.url);",
  },
})
await writeFile(`${dist}package.json`, '{"type":"commonjs"}\n')
await writeFile(
  `${dist}THIRD-PARTY-LICENSES.txt`,
  await notices(
    [cli, sidecar, others].map(({ metafile }) => metafile),
    root,
  ),
)
await compileSidecar(dist)
