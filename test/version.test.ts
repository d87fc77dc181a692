import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { DOCS_URL, VERSION } from '../src/version.ts'

const [, heading] = /^## (.+)$/m.exec(await readFile('CHANGELOG.md', 'utf8')) ?? []

test('links in messages lead to main while changes are unreleased, and to the tag of a release', () => {
  const ref = heading === 'Unreleased' ? 'main' : `v${VERSION}`
  expect(DOCS_URL).toBe(`https://github.com/wimds/wimds/blob/${ref}/docs`)
})

test('the changelog begins with what is unreleased, or with this version', () => {
  expect(heading?.split(' ')[0]).toBeOneOf(['Unreleased', VERSION])
})
