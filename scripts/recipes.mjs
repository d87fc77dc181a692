// Writes docs/recipes from scripts/recipes.yaml: a page for each program, and their index. With --check it writes nothing, and
// exits with 1 if a page is not current.
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parse } from 'yaml'
import { writePage } from './write-page.mjs'

const folder = fileURLToPath(new URL('../docs/recipes/', import.meta.url))
const recipes = parse(readFileSync(new URL('recipes.yaml', import.meta.url), 'utf8'))
const pages = new Map([
  ['README.md', formatIndex()],
  ...recipes.map((recipe) => [`${recipe.id}.md`, formatRecipe(recipe)]),
])
for (const [name, page] of pages) {
  await writePage(`docs/recipes/${name}`, page, 'npm run docs:recipes')
}
const stale = readdirSync(folder).filter((name) => !pages.has(name))
if (stale.length > 0) {
  process.stderr.write(`docs/recipes: no recipe is behind ${stale.join(', ')}. Fix: delete it\n`)
  process.exitCode = 1
}

function formatIndex() {
  const items = recipes.map(({ id, title }) => `- [${title}](${id}.md)`)
  return `# Recipes by program

${formatOrigin()}

What to set in programs that get tokens from a managed identity, after [the workload](../tasks/existing-workload.md) has one. For
SDKs, see [compatibility](../compatibility.md).

${items.join('\n')}
`
}

function formatRecipe({ title, text, set, settings, works, fails, ...origin }) {
  const rows = settings.map(([name, value]) => `| ${formatName(name)} | ${value} |`)
  return `# ${title} with workload identity on Kubernetes

${formatOrigin()}

${text}

First [let the workload use the identity](../tasks/existing-workload.md), then set:

| setting | value |
|---|---|
| [routing mode](../kubernetes.md#routing-modes) | ${formatModes(set)} |
${rows.join('\n')}

It works when ${works}. If not, ${fails === undefined ? '' : `${fails}; `}[\`wimds doctor\`](../doctor.md) names the cause and the fix.

${formatTest(origin)}
`
}

function formatOrigin() {
  return '<!-- Written by npm run docs:recipes from scripts/recipes.yaml; edit that. -->'
}

/** Names the modes. */
function formatModes(set) {
  if (set === undefined) return '`loopback`, `nft` or `node`'
  return set === 'an option' ? 'any; `env` with the option below' : 'any'
}

/** Marks the names of settings, of which a row may have several, as code. */
function formatName(name) {
  if (name === 'user name') return name
  return name.replaceAll(
    /(?<=^|, | or )[\w.-]+(?: (?:Id|Timeout))?(?=$|, | or |=|:| in | of )/g,
    '`$&`',
  )
}

function formatTest({ client, library, notRun }) {
  if (client !== undefined) return `Tested: [${client}](../compatibility.md).`
  if (library !== undefined) return `Tested by its library: [${library}](../compatibility.md).`
  return `Not tested: ${notRun}.`
}
