/** Values of the chart, as `helm --set` gives them, held against its schema. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { ROOT } from './pages.ts'

const schema: { readonly properties: Readonly<Record<string, object>> } = JSON.parse(
  readFileSync(join(ROOT, 'charts/wimds/values.schema.json'), 'utf8'),
)
const isValid = new Ajv2020({ strict: false }).compile(schema)

export const CHART_VALUES: readonly string[] = Object.keys(schema.properties)

/** What the schema says against these values. */
export function valueMistakes(values: unknown): string[] {
  if (isValid(values)) return []
  return (isValid.errors ?? []).map(
    ({ instancePath, message }) => `${instancePath || 'values'} ${message ?? 'is wrong'}`,
  )
}

/**
 * What the schema says against `path.to.value=text`; a dot after a backslash is no separator. As with
 * `--set`, `true`, `false` and numbers are no text, unless `isText`.
 */
export function assignmentMistakes(assignment: string, isText = false): string[] {
  const [, path = '', text = ''] = /^([^=]+)=(.*)$/.exec(assignment) ?? []
  const names = path.split(/(?<!\\)\./).map((name) => name.replaceAll('\\.', '.'))
  const values = names.reduceRight<unknown>(
    (value, name) => ({ [name]: value }),
    valueOf(text, isText),
  )
  return valueMistakes(values)
}

function valueOf(text: string, isText: boolean): string | number | boolean {
  if (isText) return text
  if (text === 'true' || text === 'false') return text === 'true'
  return /^\d+$/.test(text) ? Number(text) : text
}
