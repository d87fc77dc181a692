import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { docsPage, IS_RELEASED, REF, VERSION } from '../../src/lib/version.ts'

test('links in messages lead to main while changes are unreleased, and to the tag of a release', async () => {
  const [, heading = ''] = /^## (\w+)/m.exec(await readFile('CHANGELOG.md', 'utf8')) ?? []
  expect(REF).toBe(heading === 'Unreleased' ? 'main' : `v${VERSION}`)
})

test('until a release, a message names the page of the checkout', () => {
  expect([docsPage('aadsts', 'aadsts700213'), docsPage('tasks/identity-bindings')]).toEqual(
    IS_RELEASED
      ? [
          `https://wimds.github.io/wimds/${REF}/aadsts.html#aadsts700213`,
          `https://wimds.github.io/wimds/${REF}/tasks/identity-bindings.html`,
        ]
      : ['docs/aadsts.md#aadsts700213', 'docs/tasks/identity-bindings.md'],
  )
})
