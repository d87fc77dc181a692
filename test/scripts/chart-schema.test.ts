/** The schema of the chart's values covers them. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { expect, test } from 'vitest'
import { parse } from 'yaml'

const CHART = 'charts/wimds'

const schema: Schema = JSON.parse(await readFile(join(CHART, 'values.schema.json'), 'utf8'))
const values: Readonly<Record<string, unknown>> = parse(
  await readFile(join(CHART, 'values.yaml'), 'utf8'),
)

interface Schema {
  readonly properties?: Readonly<Record<string, Schema>>
  readonly additionalProperties?: unknown
}

test('the schema accepts the default values and the values of examples/observability/README.md', async () => {
  const isValid = new Ajv2020({ strict: true, allowUnionTypes: true }).compile(schema)
  isValid(values)
  expect(isValid.errors).toBeNull()
  const page = await readFile('examples/observability/README.md', 'utf8')
  const [, block = ''] = /```yaml\n(prometheusRule:\n[^]*?)```/.exec(page) ?? []
  const { prometheusRule } = parse(block)
  expect(prometheusRule).toMatchObject({ alerts: expect.any(Object) })
  // Helm merges values with the defaults before it validates them.
  const merged = Object.assign({}, values['prometheusRule'], prometheusRule)
  isValid({ ...values, prometheusRule: merged })
  expect(isValid.errors).toBeNull()
})

/** Every group of values, by its path. */
function groupsOf(node: Schema, path: string): [string, Schema][] {
  if (node.properties === undefined) return []
  const below = Object.entries(node.properties)
  return [[path, node], ...below.flatMap(([name, each]) => groupsOf(each, `${path}.${name}`))]
}

test('the schema rejects unknown members of every group', () => {
  const groups = groupsOf(schema, 'values')
  expect(groups.length).toBeGreaterThan(10)
  // Other charts of a release have their own values in `global`.
  const open = groups.filter(([, group]) => group.additionalProperties !== false)
  expect(open.map(([path]) => path)).toEqual(['values.global'])
})
