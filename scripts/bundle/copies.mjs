// An esbuild plugin: what `serve` loads does not grow with what the simulator uses.
//
// Code that two commands share is put into one chunk, with all of it that either of them uses. The
// simulator uses the whole of zod and of undici, so it gets a zod of its own, and `serve` an undici
// of which only the parts that it calls can be reached. So with prom-client, of which only the part
// that writes is called.
import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const PARTS_OF_UNDICI = fileURLToPath(new URL('undici.mjs', import.meta.url))
const PARTS_OF_PROM_CLIENT = fileURLToPath(new URL('prom-client.mjs', import.meta.url))

export const copies = {
  name: 'copies',
  setup({ onResolve, onLoad, resolve }) {
    onResolve({ filter: /^undici$/ }, ({ importer }) =>
      importer.includes('/src/exchange/') ? { path: PARTS_OF_UNDICI } : undefined,
    )
    onResolve({ filter: /^prom-client$/ }, () => ({ path: PARTS_OF_PROM_CLIENT }))
    onResolve({ filter: /^zod$/ }, async ({ path, importer, resolveDir, kind, pluginData }) => {
      if (pluginData === copies || !importer.includes('/src/simulator/')) return undefined
      const found = await resolve(path, { resolveDir, kind, pluginData: copies })
      return { path: found.path, namespace: 'simulator', sideEffects: false }
    })
    onResolve({ filter: /^\./, namespace: 'simulator' }, ({ path, importer }) => ({
      path: join(dirname(importer), path),
      namespace: 'simulator',
      sideEffects: false,
    }))
    onLoad({ filter: /.*/, namespace: 'simulator' }, async ({ path }) => ({
      contents: await readFile(path, 'utf8'),
    }))
  },
}
