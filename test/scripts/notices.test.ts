import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { createFolder } from '../fixtures/folder.ts'
import { runNode } from '../fixtures/run-program.ts'

const RULE = /\n\n-{80}\n\n/

test('the bundle comes with the licence texts of what it is made of', async () => {
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

/** What the build writes for a bundle with one file of a package that has these files. */
async function noticesOf(files: Readonly<Record<string, string>>) {
  using root = createFolder()
  const manifest = JSON.stringify({ name: '@scope/silent', version: '1.2.3', license: 'MIT' })
  for (const [name, text] of Object.entries({ 'package.json': manifest, ...files })) {
    root.write(`node_modules/@scope/silent/${name}`, text)
  }
  const inputs = { 'node_modules/@scope/silent/lib/index.js': { bytesInOutput: 1 } }
  const script = `
    import { bundledPackages } from './scripts/bundled-packages.mjs'
    import { notices } from './scripts/notices.mjs'
    const metafile = ${JSON.stringify({ outputs: { 'wimds.js': { inputs } } })}
    const packages = await bundledPackages([metafile], ${JSON.stringify(root.path)})
    process.stdout.write(await notices(packages))`
  return await runNode(['--input-type=module', '--eval', script])
}

test('a package without a licence text stops the build', async () => {
  const { code, stdout, stderr } = await noticesOf({ 'README.md': '# Silent\n\n## Licence of x\n' })
  expect(stderr).toContain('no licence text in @scope/silent 1.2.3')
  expect(stdout).toBe('')
  expect(code).toBe(1)
})

test.each([
  ['its licence file', { 'LICENCE.md': 'Copyright A', 'README.md': '## License\n\nMIT\n' }],
  ['its README', { 'readme.md': '# S\n\n## License\n\nCopyright A\n\n## Authors\n\nB\n' }],
])('a package’s licence text comes from %s', async (_, files) => {
  const { stdout } = await noticesOf(files)
  expect(stdout.split(RULE)[1]).toBe('@scope/silent 1.2.3 (MIT)\n\nCopyright A\n')
})
