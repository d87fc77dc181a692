// Bundles wimds to dist/wimds.js and its lazily loaded chunks, and has Node compile them once, so
// that the first start of a container finds them compiled.
import { rm } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { builtins } from './bundle/builtins.mjs'
import { compile } from './bundle/compile.mjs'
import { copies } from './bundle/copies.mjs'
import { leftOut } from './bundle/left-out.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const dist = fileURLToPath(new URL('../dist/', import.meta.url))

await rm(dist, { recursive: true, force: true })
await build({
  absWorkingDir: root,
  entryPoints: { wimds: 'src/launch.ts' },
  outdir: dist,
  bundle: true,
  splitting: true,
  // Names of functions stay as they are for stack traces, which crash lines show.
  minifyWhitespace: true,
  minifySyntax: true,
  format: 'esm',
  platform: 'node',
  target: 'node22',
  legalComments: 'linked',
  plugins: [leftOut, builtins, copies],
  // An executable on its own; the image puts its Node's absolute path here.
  banner: { js: '#!/usr/bin/env node' },
  logLevel: 'warning',
})
await compile(`${dist}wimds.js`)
