/** docs/configuration.md documents every setting, with its default or a valid example; each is read. */
import { globSync, readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { loadConfig } from '../../../src/broker/config/config.ts'
import { parseIdentities } from '../../../src/broker/config/identities-file.ts'
import { DEFAULTS, Settings } from '../../../src/broker/config/settings.ts'

const text = await readFile(new URL('../../../docs/configuration.md', import.meta.url), 'utf8')

interface Row {
  readonly name: string
  /** The default, or an example if there is none. */
  readonly value: string
  readonly isExample: boolean
  readonly meaning: string
}

/** The items of the lists that begin with the name of a variable: its default or an example, and its meaning. */
const ITEM = /^- \*\*`(\w+_\w+)`\*\* \((e\.g\. )?`([^`]+)`\): (.+(?:\n {2}.+)*)$/gm
const rows: Row[] = [...text.matchAll(ITEM)].map(
  ([, name = '', prefix, value = '', meaning = '']) => ({
    name,
    value,
    isExample: prefix !== undefined,
    meaning,
  }),
)

test('has one row for each setting', () => {
  const names = rows.map(({ name }) => name)
  expect(names.toSorted()).toEqual(Object.keys(Settings.shape).toSorted())
})

test('states the defaults', () => {
  const stated = rows.filter(({ isExample }) => !isExample).map(({ name, value }) => [name, value])
  expect(Object.fromEntries(stated)).toEqual(DEFAULTS)
})

test.each(rows)('explains $name with a valid value', ({ name, meaning, value }) => {
  expect(meaning.length).toBeGreaterThan(10)
  // A certificate is too long for the page.
  if (value.endsWith('…')) return
  const parsed = Settings.safeParse({ ...DEFAULTS, [name]: value })
  expect(parsed.error?.issues ?? []).toEqual([])
})

test('has a valid identities file', async () => {
  const [, example = ''] = /```yaml\n([^]*?)```/.exec(text) ?? []
  const { entries, problems } = await parseIdentities(example, { tokenFile: '/token' })
  expect(problems).toEqual([])
  expect(entries.map(({ name }) => name)).toEqual(['orders', 'partner'])
})

/** Returns the code of these files of src/. */
const readSources = (pattern: string, exclude: string[] = []) =>
  globSync(`src/${pattern}`, { exclude })
    .map((file) => readFileSync(file, 'utf8'))
    .join('\n')

test('the configuration has each setting', () => {
  const code = readSources('broker/config/{config,directory}.ts')
  const isRead = (name: string) =>
    new RegExp(
      `settings\\.${name}\\b|\\b${name}\\b[^{}]*\\} = settings\\b|read\\('${name}'\\)`,
    ).test(code)
  expect(Object.keys(Settings.shape).filter((name) => !isRead(name))).toEqual([])
})

test('each value of the configuration is read', async () => {
  const { exchange, log, ...config } = await loadConfig({
    AZURE_TENANT_ID: 'contoso.example',
    AZURE_FEDERATED_TOKEN_FILE: '/token',
  })
  const names = [config, exchange, log].flatMap((values) => Object.keys(values))
  const code = readSources('**/*.ts', ['src/broker/config/*'])
  const isRead = (name: string) =>
    new RegExp(`\\.${name}\\b|\\{[^{}]*\\b${name}\\b[^{}]*\\}(?: =|: )`).test(code)
  expect(names.length).toBeGreaterThan(20)
  expect(names.filter((name) => !isRead(name))).toEqual([])
})
