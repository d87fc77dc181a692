/** docs/security.md: every defence has its test, every limit and permission is the one in force. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { z } from 'zod'
import { BLOCKS, pageOf, readPage, resolveFrom, ROOT } from './pages.ts'

const PAGE = 'docs/security.md'
const text = readPage(PAGE)

/** The cells of the rows of the first table below a heading. */
function tableBelow(heading: string): string[][] {
  const [, section = ''] = text.split(new RegExp(`^#+ ${heading}\n`, 'm'))
  const [table = ''] = /(?:^\|.*\n)+/m.exec(section) ?? []
  const [, , ...rows] = table.trimEnd().split('\n')
  return rows.map((row) =>
    row
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  )
}

const linksIn = (cell: string) =>
  [...cell.matchAll(/\]\(([^)]+)\)/g)].map(([, path = '']) => resolveFrom(PAGE, path))

describe('the threats', () => {
  const threats = tableBelow('Threats and answers')

  test('are all there', () => {
    expect(threats.length).toBeGreaterThan(20)
  })

  test.each(threats)('%s: %s', (_threat, answer, proofs = '') => {
    expect(answer).not.toBe('')
    const files = linksIn(proofs)
    expect(files).not.toEqual([])
    // Nothing but links, so that no proof escapes the check.
    expect(proofs.replaceAll(/\[[^\]]+\]\([^)]+\)/g, '').replaceAll(', ', '')).toBe('')
    for (const file of files) {
      expect(file).toMatch(/\/test\/.+\.test\.ts$|\/\.ci\/run$/)
    }
    expect(files.filter((file) => !existsSync(file))).toEqual([])
  })
})

describe('the limits', () => {
  const UNITS: Readonly<Record<string, number>> = { KiB: 1024, s: 1000 }

  test.each(tableBelow('Limits'))('%s: %s', (_what, limit = '', _beyond, source = '') => {
    const [, number, unit = ''] = /(\d+)(?: (KiB|s))?$/.exec(limit) ?? []
    const value = Number(number) * (UNITS[unit] ?? 1)
    const [file = ''] = linksIn(source)
    const code = readFileSync(file, 'utf8').replaceAll(/(?<=\d)_(?=\d)/g, '')
    const products = [...code.matchAll(/\b\d+(?: \* \d+)*\b/g)].map(([product]) =>
      product.split(' * ').reduce((result, factor) => result * Number(factor), 1),
    )
    expect(products).toContain(value)
  })
})

describe('the permissions', () => {
  const [, options = ''] =
    /NODE_OPTIONS="([^"]+)"/.exec(readFileSync(join(ROOT, 'Dockerfile'), 'utf8')) ?? []

  test('are those of the image', () => {
    const told = tableBelow('Files and processes').flatMap(([path = '', access = '']) => [
      ...(access.includes('read') ? [`--allow-fs-read=${path.replaceAll('`', '')}`] : []),
      ...(access.includes('written') ? [`--allow-fs-write=${path.replaceAll('`', '')}`] : []),
    ])
    const given = options.split(' ').filter((option) => option.startsWith('--allow'))
    expect(told.toSorted()).toEqual(given.toSorted())
  })

  test('are kept by the example that adds one', () => {
    const Env = z.object({ env: z.array(z.object({ name: z.string(), value: z.string() })) })
    const example = BLOCKS.find(
      (block) => pageOf(block) === PAGE && block.text.includes('NODE_OPTIONS'),
    )
    const { env } = Env.parse(parse(example?.text ?? ''))
    const values = Object.fromEntries(env.map(({ name, value }) => [name, value]))
    expect(values['NODE_OPTIONS']).toBe(`${options} --allow-fs-read=/mnt/corporate`)
    expect(values['WIMDS_CA_FILE']).toMatch(/^\/mnt\/corporate\//)
  })
})
