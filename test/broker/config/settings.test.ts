/** docs/configuration.md documents every setting, with its default or a valid example. */
import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { parseIdentities } from '../../../src/broker/config/identities-file.ts'
import { DEFAULTS, Settings } from '../../../src/broker/config/settings.ts'

const text = await readFile(new URL('../../../docs/configuration.md', import.meta.url), 'utf8')

interface Row {
  readonly name: string
  /** The default value of the setting, or an example if it has no default. */
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

test('has one row for each setting, with its default', () => {
  const names = rows.map(({ name }) => name)
  expect(names.toSorted()).toEqual(Object.keys(Settings.shape).toSorted())
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
