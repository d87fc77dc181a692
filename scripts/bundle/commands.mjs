// Two bundles in one directory: the sidecar's, and that of the other commands. Code that commands
// share is put into a chunk for each set of them that shares it; in one bundle of all commands,
// `serve` would load twice as many chunks, with parts that it never calls.
import { basename, dirname, join } from 'node:path'

/** Commands of the sidecar; src/cli.ts and these load the others when they are called. */
const SIDECAR = new Set(['serve', 'drop-in'])

/** The plugin of the sidecar's bundle. The commands that it leaves to the other go to `others`. */
export function leaveTo(others) {
  return {
    name: 'other-commands',
    setup({ onResolve }) {
      onResolve({ filter: /\.ts$/ }, ({ path, kind, resolveDir }) => {
        const [, file] = /\/src\/commands\/(.+)$/.exec(join(resolveDir, path)) ?? []
        if (kind !== 'dynamic-import' || file === undefined) return undefined
        const name = basename(file, '.ts')
        if (SIDECAR.has(name)) return undefined
        others[name] = join(resolveDir, path)
        return { path: `./${name}.js`, external: true }
      })
    },
  }
}

/** The plugin of the other bundle: one set of error classes, since src/cli.ts tells them apart. */
export const sharedErrors = {
  name: 'shared-errors',
  setup({ onResolve }) {
    onResolve({ filter: /\/errors\.ts$/ }, ({ path, resolveDir }) =>
      dirname(join(resolveDir, path)).endsWith('/src')
        ? { path: './errors.js', external: true }
        : undefined,
    )
  },
}
