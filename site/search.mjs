// node site/search.mjs < LINES: what the search of the built site finds for each line, best first, as a JSON array a line.
import { globSync, readFileSync } from 'node:fs'
import MiniSearch from 'minisearch'
import { SEARCH } from './.vitepress/search.mjs'

const [file] = globSync(
  new URL('dist/*/assets/chunks/@localSearchIndexroot*.js', import.meta.url).pathname,
)
const { default: index } = await import(file)
// As VitePress does, of whose own options these leave none.
const { options, searchOptions } = SEARCH.miniSearch
const search = MiniSearch.loadJSON(index, { storeFields: ['title', 'titles'], ...options })
for (const line of readFileSync(0, 'utf8').trimEnd().split('\n')) {
  const ids = search
    .search(line, searchOptions)
    .slice(0, 20)
    .map(({ id }) => id)
  process.stdout.write(`${JSON.stringify(ids)}\n`)
}
