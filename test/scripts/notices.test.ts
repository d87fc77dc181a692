import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const RULE = /\n\n-{80}\n\n/

test('the bundle comes with the licence texts of its packages', async () => {
  const [, ...entries] = (await readFile('dist/THIRD-PARTY-LICENSES.txt', 'utf8')).split(RULE)
  const bundled = new Map(
    entries.map((entry) => {
      const [title = '', ...texts] = entry.split('\n\n')
      return [title.replace(/ \(.*/, ''), texts.join('\n\n')]
    }),
  )
  expect(bundled.size).toBe(entries.length)
  expect([...bundled].filter(([, text]) => text.trim() === '')).toEqual([])
  const imported = await packagesOfSources()
  expect(imported.length).toBeGreaterThan(10)
  const names = new Set([...bundled.keys()].map((title) => title.replace(/ .*/, '')))
  expect(imported.filter((name) => !names.has(name))).toEqual([])
})

/** The names of the packages that src/ imports at run time. */
async function packagesOfSources(): Promise<readonly string[]> {
  const texts = await Promise.all(
    (await readdir('src', { recursive: true }))
      .filter((name) => name.endsWith('.ts'))
      .map((name) => readFile(join('src', name), 'utf8')),
  )
  const imports = texts.flatMap((source) => [
    ...source.matchAll(/^(?:import (?!type)|\} from )[^']*'((?:@[\w-]+\/)?[a-z][\w-]*)/gm),
  ])
  return [...new Set(imports.map(([, name = '']) => name))].filter((name) => name !== 'node')
}
