/** docs/configuration.md documents every setting, its default and a valid example. */
import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { parseIdentities } from '../../../src/sidecar/config/identities-file.ts'
import { DEFAULTS, Settings } from '../../../src/sidecar/config/settings.ts'
import { findCloud } from '../../../src/lib/clouds.ts'

const text = await readFile(new URL('../../../docs/configuration.md', import.meta.url), 'utf8')

interface Row {
  readonly name: string
  readonly fallback: string
  readonly meaning: string
  readonly example: string
}

/** The items of the lists that begin with the name of a variable: its default, its meaning and an example. */
const ITEM = /^- \*\*`(\w+_\w+)`\*\* \(`?([^`)]+)`?\): ([^]+?)\s+For\s+example\s+`([^`]+)`\.$/gm
const rows: Row[] = [...text.matchAll(ITEM)].map(
  ([, name = '', fallback = '', meaning = '', example = '']) => ({
    name,
    fallback,
    meaning,
    example,
  }),
)

test('has one row for each setting', () => {
  const names = rows.map(({ name }) => name)
  expect(names.toSorted()).toEqual(Object.keys(Settings.shape).toSorted())
})

test('states the defaults', () => {
  const stated = rows
    .filter(({ fallback }) => fallback !== 'none')
    .map(({ name, fallback }) => [name, fallback])
  expect(Object.fromEntries(stated)).toEqual(DEFAULTS)
})

test.each(rows)('explains $name with a valid example', ({ name, meaning, example }) => {
  expect(meaning.length).toBeGreaterThan(10)
  // A certificate is too long for the page.
  if (example.endsWith('…')) return
  const parsed = Settings.safeParse({ ...DEFAULTS, [name]: example })
  expect(parsed.error?.issues ?? []).toEqual([])
})

test('has a valid identities file', async () => {
  const [, example = ''] = /```yaml\n([^]*?)```/.exec(text) ?? []
  const { entries, problems } = await parseIdentities(example, { tokenFile: '/token' })
  expect(problems).toEqual([])
  expect(entries.map(({ name }) => name)).toEqual(['orders', 'partner'])
})

test('states the host and audience of each cloud', () => {
  const clouds = [...text.matchAll(/^\| ([\w ]+?) +\| `https:\/\/([\w.-]+)` +\| `?(\S*?)`? +\|$/gm)]
  expect(clouds).toHaveLength(6)
  for (const [, name = '', host = '', audience] of clouds) {
    const cloud = findCloud(host)
    expect(cloud?.name.toLowerCase()).toBe(name.toLowerCase())
    expect(cloud?.audience ?? '').toBe(audience)
  }
})
