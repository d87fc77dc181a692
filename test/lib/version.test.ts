import { execFile } from 'node:child_process'
import { cp, glob, readFile } from 'node:fs/promises'
import { relative, resolve } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { DOCS_URL, VERSION } from '../../src/lib/version.ts'
import { createFolder } from '../fixtures/folder.ts'

const [, heading] = /^## (.+)$/m.exec(await readFile('CHANGELOG.md', 'utf8')) ?? []
const REF = heading === 'Unreleased' ? 'main' : `v${VERSION}`

/** Returns the branch or tag of every link to the documentation or the repository in the released files, by file. */
async function linkedRefs(root: string): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
  const refs = new Map<string, Set<string>>()
  for await (const entry of glob('{src,charts,examples}/**', { cwd: root, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const file = resolve(entry.parentPath, entry.name)
    const path = relative(root, file)
    const links = (await readFile(file, 'utf8')).matchAll(
      /wimds\/(?:blob\/)?(main|v\d+\.\d+\.\d+)\b/g,
    )
    for (const [, ref = ''] of links) refs.set(path, (refs.get(path) ?? new Set()).add(ref))
  }
  return refs
}

test('links in messages lead to main while changes are unreleased, and to the tag of a release', () => {
  expect(DOCS_URL).toBe(`https://wimds.github.io/wimds/${REF}`)
})

test('links in the chart and in the examples lead to this version, too', async () => {
  const refs = await linkedRefs('.')
  expect([...refs.keys()]).toEqual(
    expect.arrayContaining([
      'charts/wimds/Chart.yaml',
      'charts/wimds/README.md',
      'charts/wimds/files/rules.yaml',
      'charts/wimds/templates/NOTES.txt',
      'src/lib/version.ts',
    ]),
  )
  for (const [path, found] of refs) expect([path, [...found]]).toEqual([path, [REF]])
})

test('scripts/release/version.sh makes a release, and begins the next version', async () => {
  using directory = createFolder()
  const names = [
    'src',
    'charts',
    'examples',
    'docs',
    'scripts',
    'package.json',
    'package-lock.json',
  ]
  for (const name of [...names, 'README.md', 'SECURITY.md', 'CHANGELOG.md']) {
    await cp(name, directory.file(name), { recursive: true })
  }
  const become = (version: string) =>
    promisify(execFile)('scripts/release/version.sh', [version], { cwd: directory.path })
  const refs = async () =>
    new Set([...(await linkedRefs(directory.path)).values()].flatMap((found) => [...found]))
  const read = (name: string) => readFile(directory.file(name), 'utf8')

  await become('0.97.0')
  expect(await refs()).toEqual(new Set(['v0.97.0']))
  for (const name of ['package.json', 'package-lock.json', 'src/lib/version.ts']) {
    expect([name, await read(name)]).toEqual([name, expect.stringContaining('0.97.0')])
  }
  expect((await read('charts/wimds/Chart.yaml')).match(/0\.97\.0$/gm)).toHaveLength(6)
  expect(await read('CHANGELOG.md')).toMatch(/^## 0\.97\.0, \d{4}-\d\d-\d\d$/m)
  expect(await read('README.md')).not.toContain('Not published yet')

  await become('main')
  expect(await refs()).toEqual(new Set(['main']))
  expect(await read('CHANGELOG.md')).toMatch(/^## Unreleased\n\n## 0\.97\.0/m)
  await expect(become('0.2')).rejects.toThrow('0.2 is not a version. Fix: ')
})

test('the changelog begins with the unreleased changes, or with this version', () => {
  expect(heading?.split(' ')[0]).toBeOneOf(['Unreleased', VERSION])
})
