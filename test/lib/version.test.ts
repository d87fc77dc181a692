import { glob, readFile } from 'node:fs/promises'
import { relative, resolve } from 'node:path'
import { expect, test } from 'vitest'
import { DOCS_URL, VERSION } from '../../src/lib/version.ts'

const [, heading] = /^## (.+)$/m.exec(await readFile('CHANGELOG.md', 'utf8')) ?? []
const REF = heading === 'Unreleased' ? 'main' : `v${VERSION}`

/** Returns the branch or tag of every link to the documentation or the repository in the released files, by file. */
async function linkedRefs(): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
  const refs = new Map<string, Set<string>>()
  for await (const entry of glob('{src,charts,examples}/**', { withFileTypes: true })) {
    if (!entry.isFile()) continue
    const file = resolve(entry.parentPath, entry.name)
    const path = relative('.', file)
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
  const refs = await linkedRefs()
  expect(refs.size).toBeGreaterThan(4)
  for (const [path, found] of refs) expect([path, [...found]]).toEqual([path, [REF]])
})

test('the changelog begins with the unreleased changes, or with this version', () => {
  expect(heading?.split(' ')[0]).toBeOneOf(['Unreleased', VERSION])
})
