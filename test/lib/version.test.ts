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

test('the commands of docs/releasing.md change all of them, and change them back', async () => {
  const commands = (await readFile('docs/releasing.md', 'utf8')).match(/^ *grep -rlE .*$/gm) ?? []
  const [toTag = '', toMain = ''] = REF === 'main' ? commands : commands.toReversed()
  expect(commands).toHaveLength(2)
  using directory = createFolder()
  for (const name of ['src', 'charts', 'examples']) {
    await cp(name, directory.file(name), { recursive: true })
  }
  const refsAfter = async (command: string) => {
    await promisify(execFile)('sh', ['-ec', command], { cwd: directory.path })
    const refs = await linkedRefs(directory.path)
    expect(refs.size).toBeGreaterThan(8)
    return new Set([...refs.values()].flatMap((found) => [...found]))
  }
  expect(await refsAfter(toTag)).toEqual(new Set([REF === 'main' ? 'v0.2.0' : 'main']))
  expect(await refsAfter(toMain)).toEqual(new Set([REF === 'main' ? 'main' : 'v0.2.0']))
})

test('the changelog begins with the unreleased changes, or with this version', () => {
  expect(heading?.split(' ')[0]).toBeOneOf(['Unreleased', VERSION])
})
