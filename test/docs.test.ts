import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { ERROR_KINDS } from '../src/errors.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const PAGES = ['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', 'SECURITY.md'].concat(
  readdirSync(resolve(ROOT, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
)

const read = (page: string) => readFileSync(resolve(ROOT, page), 'utf8')

describe('docs/troubleshooting.md', () => {
  const headings = [...read('docs/troubleshooting.md').matchAll(/^## (\w+)$/gm)].map(
    ([, code]) => code,
  )

  test('has one heading for each error code, and no other', () => {
    expect(headings).toHaveLength(Object.keys(ERROR_KINDS).length)
    expect(new Set(headings)).toEqual(new Set(Object.keys(ERROR_KINDS)))
  })
})

describe.each(PAGES)('%s', (page) => {
  const links = [...read(page).matchAll(/\]\((?!https?:)([^)#]*)(?:#([\w-]*))?\)/g)]

  test('links only to what is there', () => {
    const missing = links
      .map(([, path = '']) => path)
      .filter((path) => path !== '' && !existsSync(resolve(ROOT, dirname(page), path)))
    expect(missing).toEqual([])
  })
})
