/** The values of the chart: their reference is current, and their schema covers them. */
import { existsSync } from 'node:fs'
import { cp, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { createFolder } from '../fixtures/folder.ts'
import { runNode } from '../fixtures/run-program.ts'

const CHART = 'charts/wimds'
const FILES = ['README.md', 'values.yaml', 'values.schema.json'] as const

/** Copies the chart, changes one of its files, and writes the reference. */
async function writeReference(
  file: (typeof FILES)[number] = 'README.md',
  change: (text: string) => string = (text) => text,
) {
  using directory = createFolder()
  for (const name of FILES) await cp(join(CHART, name), directory.file(name))
  directory.write(file, change(await readFile(directory.file(file), 'utf8')))
  const { code, stderr } = await runNode(['scripts/chart-readme.mjs', directory.path])
  return { code, stderr, readme: await readFile(directory.file('README.md'), 'utf8') }
}

test('the reference of the README agrees with values.yaml', async () => {
  const { code, readme } = await writeReference()
  expect(code).toBe(0)
  expect(readme).toBe(await readFile(join(CHART, 'README.md'), 'utf8'))
})

test.each([
  ['values.yaml', / *# Labels of the PodMonitors\..*\n/, '', 'podMonitor.labels has no comment'],
  ['values.yaml', /$/, '# New.\nother: 1\n', 'other is not in values.schema.json'],
  ['values.schema.json', '"timeoutSeconds":', '"timeout":', 'webhook.timeout has no value'],
] as const)('rejects a %s in which %s is %j: %s', async (file, pattern, text, message) => {
  const { code, stderr } = await writeReference(file, (before) => before.replace(pattern, text))
  expect(code).toBe(1)
  expect(stderr).toContain(message)
})

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
  // As Helm merges them with the defaults before it validates.
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
  // Other charts of a release have values of their own there.
  const open = groups.filter(([, group]) => group.additionalProperties !== false)
  expect(open.map(([path]) => path)).toEqual(['values.global'])
})

test.each([`${CHART}/README.md`, `${CHART}/Chart.yaml`, `${CHART}/templates/NOTES.txt`])(
  'the addresses of the repository in %s lead to files of it',
  async (file) => {
    const text = await readFile(file, 'utf8')
    const paths = [...text.matchAll(REPOSITORY)].map(([, path = '']) => path)
    expect(paths.filter((path) => !existsSync(path))).toEqual([])
  },
)

const REPOSITORY =
  /https:\/\/(?:github\.com\/wimds\/wimds\/blob|raw\.githubusercontent\.com\/wimds\/wimds)\/[^/]+\/([\w./-]+)/g
