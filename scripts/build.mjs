// Bundles wimds to dist/wimds.js and its lazily loaded chunks, and has Node compile them once, so
// that the first start of a container finds them compiled. docs/performance.md says what each step
// gains.
import { rm, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { builtins } from './bundle/builtins.mjs'
import { leaveTo, sharedErrors } from './bundle/commands.mjs'
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
  splitting: true,
  // Names of functions stay as they are for stack traces, which crash lines show.
  minifyWhitespace: true,
  minifySyntax: true,
  format: 'esm',
  platform: 'node',
  target: 'node22',
  legalComments: 'linked',
  // An executable on its own; the image puts its Node's absolute path here.
  banner: { js: '#!/usr/bin/env node' },
  logLevel: 'warning',
  metafile: true,
}

await rm(dist, { recursive: true, force: true })
const others = {}
const sidecar = await build({
  ...common,
  entryPoints: { wimds: 'src/launch.ts', errors: 'src/errors.ts' },
  plugins: [leaveTo(others), leftOut, builtins, partsAlone],
})
const rest = await build({
  ...common,
  entryPoints: others,
  plugins: [sharedErrors, leftOut, builtins],
})
await writeFile(
  `${dist}THIRD-PARTY-LICENSES.txt`,
  await notices([sidecar.metafile, rest.metafile], root),
)
await compile(`${dist}wimds.js`)
