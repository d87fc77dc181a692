// Bundles wimds to dist/: wimds.js, the command line; serve.cjs, the sidecar, with what V8 compiles
// of it; and a module for each other command. docs/performance.md says what each step gains.
import { rm, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { builtins } from './bundle/builtins.mjs'
import { certificatesApart, leaveTo, servePrecompiled } from './bundle/commands.mjs'
import { compile } from './bundle/compile.mjs'
import { leftOut } from './bundle/left-out.mjs'
import { notices } from './bundle/notices.mjs'
import { partsAlone } from './bundle/parts.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const dist = `${root}dist/`
const common = {
  absWorkingDir: root,
  outdir: dist,
  bundle: true,
  // Names of functions stay as they are for stack traces, which crash lines show.
  minifyWhitespace: true,
  minifySyntax: true,
  platform: 'node',
  target: 'node22',
  legalComments: 'none',
  logLevel: 'warning',
  metafile: true,
}

await rm(dist, { recursive: true, force: true })
const modules = {}
const cli = await build({
  ...common,
  entryPoints: { wimds: 'src/cli.ts' },
  // Node starts a script sooner than a module.
  format: 'cjs',
  define: { 'import.meta.dirname': '__dirname', 'import.meta.filename': '__filename' },
  // An executable on its own; the image puts its Node's absolute path here.
  banner: { js: '#!/usr/bin/env node' },
  plugins: [servePrecompiled, leaveTo(modules)],
})
const sidecar = await build({
  ...common,
  entryPoints: { serve: 'src/commands/serve/serve.ts' },
  format: 'cjs',
  outExtension: { '.js': '.cjs' },
  // As src/precompiled.ts calls it.
  banner: { js: '(function(require){const module={exports:{}};' },
  footer: { js: 'return module.exports})' },
  // A script that is no file's has `require` alone.
  supported: { 'dynamic-import': false },
  plugins: [certificatesApart, leftOut, partsAlone],
})
const certificates = await build({
  ...common,
  entryPoints: { x509: 'src/x509.ts' },
  format: 'cjs',
  outExtension: { '.js': '.cjs' },
})
const rest = await build({
  ...common,
  entryPoints: modules,
  splitting: true,
  format: 'esm',
  outExtension: { '.js': '.mjs' },
  plugins: [servePrecompiled, leftOut, builtins],
})
await writeFile(`${dist}package.json`, '{"type":"commonjs"}\n')
await writeFile(
  `${dist}THIRD-PARTY-LICENSES.txt`,
  await notices(
    [cli, sidecar, certificates, rest].map(({ metafile }) => metafile),
    root,
  ),
)
await compile(dist)
