// Three bundles in one directory: the command line, the sidecar, and the other commands, whose code
// is split into modules that they share. In one bundle of all, `serve` would load what it never calls.
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const precompiled = fileURLToPath(new URL('../../src/precompiled.ts', import.meta.url))

/** The plugin of whoever calls `serve`, which is a bundle of its own. */
export const servePrecompiled = {
  name: 'serve-precompiled',
  setup({ onResolve }) {
    onResolve({ filter: /\/serve\.ts$/ }, (asked) =>
      commandOf(asked) === 'serve' ? { path: precompiled } : undefined,
    )
  },
}

/** The plugin of the command line. The commands that it leaves to the last bundle go to `others`. */
export function leaveTo(others) {
  return {
    name: 'other-commands',
    setup({ onResolve }) {
      onResolve({ filter: /\.ts$/ }, (asked) => {
        const name = commandOf(asked)
        if (name === undefined) return undefined
        others[name] = join(asked.resolveDir, asked.path)
        return { path: `./${name}.mjs`, external: true }
      })
    },
  }
}

/**
 * The plugin of the sidecar. What only its Service Fabric port without a certificate of its own needs,
 * half a megabyte, is a script beside it.
 */
export const certificatesApart = {
  name: 'certificates-apart',
  setup({ onResolve }) {
    onResolve({ filter: /\/x509\.ts$/ }, () => ({ path: './x509.cjs', external: true }))
  },
}

/** The command that an `import()` loads; undefined: it loads something else. */
function commandOf({ path, kind, resolveDir }) {
  if (kind !== 'dynamic-import') return undefined
  const [, file] = /\/src\/commands\/(.+)$/.exec(join(resolveDir, path)) ?? []
  return file === undefined ? undefined : basename(file, '.ts')
}
