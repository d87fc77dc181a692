// Writes the reference of the values in charts/wimds/README.md from values.yaml: a heading for each comment `# @section -- NAME`, and
// an item for each value, with its default and the last paragraph of its comment. Fails if a value has no comment, section or
// schema, or a schema has no value. With `--check` changes nothing, and exits with 1 if the reference would change.
import { readFileSync } from 'node:fs'
import { isMap, parseDocument } from 'yaml'
import { writePage } from './write-page.mjs'

const CHART = 'charts/wimds'
const BEGIN = '<!-- npm run docs:chart writes what follows -->'
const END = '<!-- end of the values -->'

const read = (name) => readFileSync(`${CHART}/${name}`, 'utf8')
const problems = []

/** Returns an item for each value, and for each group that has a comment. */
function createItems(map, schema, path = '') {
  const values = new Map(
    map.items.map(({ key, value }, index) => [key.value, { key, value, index }]),
  )
  const known = Object.keys(schema.properties)
  for (const name of known) if (!values.has(name)) problems.push(`${path}${name} has no value`)
  return [...values].flatMap(([name, { key, value, index }]) => {
    const property = schema.properties[name]
    // The YAML parser attaches the comment before the first key to the map.
    const comment = lastParagraph(
      key.commentBefore ?? (index === 0 ? map.commentBefore : undefined),
    )
    const at = { name: `${path}${name}`, offset: key.range[0] }
    if (property === undefined) problems.push(`${at.name} is not in values.schema.json`)
    else if (property.properties !== undefined && isMap(value)) {
      const items = createItems(value, property, `${at.name}.`)
      return comment ? [{ ...at, text: `- \`${at.name}\`: ${comment}` }, ...items] : items
    } else if (!comment) problems.push(`${at.name} has no comment`)
    else return [{ ...at, text: `- \`${at.name}\`${formatDefault(value)}: ${comment}` }]
    return []
  })
}

const lastParagraph = (text) => {
  const last = text
    ?.split(/\n\s*\n/)
    .at(-1)
    .replace(/\s*\n\s*/g, ' ')
    .trim()
  return last?.startsWith('@section') ? undefined : last
}

function formatDefault(node) {
  const value = node.toJSON()
  if (value === '') return ''
  return ` (\`${typeof value === 'string' ? value : JSON.stringify(value)}\`)`
}

const schema = JSON.parse(read('values.schema.json'))
const text = read('values.yaml')
const sections = [...text.matchAll(/^# @section -- (.+)$/gm)].map(({ 1: title, index }) => ({
  title,
  offset: index,
  items: [],
}))
for (const item of createItems(parseDocument(text).contents, schema)) {
  const section = sections.findLast(({ offset }) => offset < item.offset)
  if (section === undefined) problems.push(`${item.name} is in no section`)
  else section.items.push(item)
}
const readme = read('README.md')
const [head, rest = ''] = readme.split(BEGIN)
const [, tail] = rest.split(END)
if (tail === undefined) problems.push(`README.md has no lines "${BEGIN}" and "${END}"`)
if (problems.length > 0) {
  process.stderr.write(problems.map((problem) => `${CHART}: ${problem}\n`).join(''))
  process.exit(1)
}
const reference = sections.flatMap(({ title, items }) => [
  `### ${title}\n`,
  ...items.map((item) => item.text),
])
const page = `${head}${BEGIN}\n\n${reference.join('\n')}\n\n${END}${tail}`
// The lines are wrapped, since people read `helm show readme` in a terminal.
const options = { proseWrap: 'always' }
await writePage(`${CHART}/README.md`, page, 'npm run docs:chart', options)
