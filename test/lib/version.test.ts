import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { DOCS_URL, IS_RELEASED, locatePage, VERSION } from '../../src/lib/version.ts'

test('links in messages lead to main while changes are unreleased, and to the tag of a release', async () => {
  const [, heading = ''] = /^## (\w+)/m.exec(await readFile('CHANGELOG.md', 'utf8')) ?? []
  const ref = heading === 'Unreleased' ? 'main' : `v${VERSION}`
  expect(DOCS_URL).toBe(`https://wimds.github.io/wimds/${ref}`)
})

test('until a release, a message names the page of the checkout', () => {
  const page = locatePage(`${DOCS_URL}/aadsts.html#aadsts700213`)
  expect(page).toBe(
    IS_RELEASED ? `${DOCS_URL}/aadsts.html#aadsts700213` : 'docs/aadsts.md#aadsts700213',
  )
})
