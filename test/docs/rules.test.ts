/** The rules of the wire and the facts of Entra ID that comments cite are on their pages. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { readPage, ROOT } from './pages.ts'

const COMMENTS = ['src', 'test', 'bench'].flatMap((folder) =>
  readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .flatMap(
      (name) =>
        readFileSync(join(ROOT, folder, name), 'utf8').match(/^ *(?:\*|\/\/|\/\*\*).*$/gm) ?? [],
    ),
)

describe.each([
  ['docs/protocol.md', 'R'],
  ['docs/entra.md', 'E'],
])('%s', (page, letter) => {
  const rows = [...readPage(page).matchAll(/^- \*\*([RE]\d+)\*\*\s/gm)].map(([, rule = '']) => rule)

  test('numbers its rows from 1 on', () => {
    expect(rows).toEqual(rows.map((_, index) => `${letter}${index + 1}`))
  })

  test('has every one that a comment cites', () => {
    const cited = COMMENTS.flatMap((comment) => comment.match(/\b[RE]\d+\b/g) ?? []).filter(
      (rule) => rule.startsWith(letter),
    )
    expect(cited.length).toBeGreaterThan(5)
    expect(cited.filter((rule) => !rows.includes(rule))).toEqual([])
  })
})
