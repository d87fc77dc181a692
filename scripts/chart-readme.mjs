// Writes the table of charts/wimds/README.md from the comments of values.yaml, whose structure is that of
// values.schema.json: `node scripts/chart-readme.mjs [DIRECTORY]`. Ends with an error that names each
// value without a comment or a schema, and each schema without a value.
import { readFileSync, writeFileSync } from 'node:fs'
import { format } from 'prettier'
import { isMap, parseDocument } from 'yaml'

const directory = process.argv[2] ?? 'charts/wimds'
const BEGIN = '<!-- npm run docs:chart writes this table -->'
const END = '<!-- end of the table -->'

const read = (name) => readFileSync(`${directory}/${name}`, 'utf8')
const problems = []

/** Returns a row for each value, and for each group that has a comment. */
function rowsOf(map, schema, path = '') {
  const values = new Map(
    map.items.map(({ key, value }, index) => [key.value, { key, value, index }]),
  )
  const known = Object.keys(schema.properties)
  for (const name of known) if (!values.has(name)) problems.push(`${path}${name} has no value`)
  return [...values].flatMap(([name, { key, value, index }]) => {
    const property = schema.properties[name]
    // The comment before the first key of a map belongs to the map.
    const comment = (key.commentBefore ?? (index === 0 ? map.commentBefore : undefined))?.trim()
    if (property === undefined) problems.push(`${path}${name} is not in values.schema.json`)
    else if (property.properties !== undefined && isMap(value)) {
      const rows = rowsOf(value, property, `${path}${name}.`)
      return comment ? [`| \`${path}${name}\` | | ${cell(comment)} |`, ...rows] : rows
    } else if (!comment) problems.push(`${path}${name} has no comment`)
    else return [`| \`${path}${name}\` | ${defaultOf(value)} | ${cell(comment)} |`]
    return []
  })
}

/** Returns the last paragraph of a comment on one line. */
const cell = (text) =>
  text
    .split(/\n\s*\n/)
    .at(-1)
    .replace(/\s*\n\s*/g, ' ')
    .replaceAll('|', '\\|')

function defaultOf(node) {
  const value = node.toJSON()
  if (value === '') return ''
  return `\`${typeof value === 'string' ? value : JSON.stringify(value)}\``
}

const schema = JSON.parse(read('values.schema.json'))
// Helm puts it there; the chart has no such value.
delete schema.properties.global
const rows = rowsOf(parseDocument(read('values.yaml')).contents, schema)
const readme = read('README.md')
const [head, rest = ''] = readme.split(BEGIN)
const [, tail] = rest.split(END)
if (tail === undefined) problems.push(`README.md has no lines "${BEGIN}" and "${END}"`)
if (problems.length > 0) {
  process.stderr.write(problems.map((problem) => `${directory}: ${problem}\n`).join(''))
  process.exit(1)
}
const table = ['| value | default | meaning |', '| --- | --- | --- |', ...rows].join('\n')
const text = `${head}${BEGIN}\n\n${table}\n\n${END}${tail}`
writeFileSync(`${directory}/README.md`, await format(text, { parser: 'markdown', printWidth: 100 }))
