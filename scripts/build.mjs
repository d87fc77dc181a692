// Bundles src/cli.ts to dist/wimds.js and its lazily loaded chunks.
import { rm } from 'node:fs/promises'
import { build } from 'esbuild'

await rm(new URL('../dist', import.meta.url), { recursive: true, force: true })
await build({
  absWorkingDir: new URL('..', import.meta.url).pathname,
  entryPoints: { wimds: 'src/cli.ts' },
  outdir: 'dist',
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node22',
  legalComments: 'linked',
  banner: {
    // An executable on its own; the image puts its Node's absolute path here. Then:
    // CommonJS packages inside an ESM bundle still call require() for Node's own modules.
    js: "#!/usr/bin/env node\nimport{createRequire as __createRequire}from'node:module';const require=__createRequire(import.meta.url);",
  },
  logLevel: 'warning',
})
