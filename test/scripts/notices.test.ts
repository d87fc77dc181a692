import { mkdir, mkdtempDisposable, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { runNode } from '../security/run-node.ts'

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
  const { dependencies }: { dependencies: Record<string, string> } = JSON.parse(
    await readFile('package.json', 'utf8'),
  )
  const titles = Object.entries(dependencies).map(([name, version]) => `${name} ${version}`)
  expect(titles.filter((title) => !bundled.has(title))).toEqual([])
})

/** What the build writes for a bundle with one file of a package that has these files. */
async function noticesOf(files: Readonly<Record<string, string>>) {
  await using root = await mkdtempDisposable(join(tmpdir(), 'wimds-notices-'))
  const directory = join(root.path, 'node_modules/@scope/silent')
  await mkdir(directory, { recursive: true })
  const manifest = JSON.stringify({ name: '@scope/silent', version: '1.2.3', license: 'MIT' })
  for (const [name, text] of Object.entries({ 'package.json': manifest, ...files })) {
    await writeFile(join(directory, name), text)
  }
  const inputs = { 'node_modules/@scope/silent/lib/index.js': { bytesInOutput: 1 } }
  const script = `
    import { notices } from './scripts/notices.mjs'
    const metafile = ${JSON.stringify({ outputs: { 'wimds.js': { inputs } } })}
    process.stdout.write(await notices([metafile], ${JSON.stringify(root.path)}))`
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
])('a package’s licence text is that of %s', async (_, files) => {
  const { stdout } = await noticesOf(files)
  expect(stdout.split(RULE)[1]).toBe('@scope/silent 1.2.3 (MIT)\n\nCopyright A\n')
})
