// Writes the contents of the sidecar to docs/security.md: the number of source lines that `wimds serve` imports, types included, and
// the packages in the image of the sidecar, by its SBOM. With --check writes nothing, and exits with 1 if the page is not current.
// Needs dist/.
import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { writePage } from './write-page.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const BEGIN = '<!-- npm run docs:sidecar writes what follows -->'
const END = '<!-- end of the contents of the sidecar -->'

const lines = new Map()
await count('src/sidecar/serve.ts')
const total = [...lines.values()].reduce((sum, each) => sum + each, 0)
const rooms = [...new Set([...lines.keys()].map((file) => file.split('/')[1]))]
  .map((room) => `\`src/${room}\``)
  .join(', ')
const { components } = JSON.parse(
  await readFile(join(root, 'dist/images/wimds/sbom.cdx.json'), 'utf8'),
)
const packages = components.map(({ name }) => `\`${name}\``).join(', ')
const text = await readFile(join(root, 'docs/security.md'), 'utf8')
const [before, after] = [text.split(BEGIN)[0], text.split(END)[1]]
const contents = `\`wimds serve\` is ${lines.size} files of TypeScript with about ${Math.round(total / 100) * 100} lines, below ${rooms}. The image of
the sidecar has ${components.length} packages, none of them a client of Kubernetes: ${packages}.`
const page = `${before}${BEGIN}\n\n${contents}\n\n${END}${after}`
await writePage('docs/security.md', page, 'npm run docs:sidecar')

/** Counts the lines of the file and of all files that it imports. */
async function count(file) {
  if (lines.has(file)) return
  const source = await readFile(join(root, file), 'utf8')
  lines.set(file, source.split('\n').length - 1)
  for (const [, name] of source.matchAll(/\b(?:from |import |import\()'(\.[^']+)'/g)) {
    await count(join(dirname(file), name))
  }
}
