/** The data of the recipes, and the length of the pages that scripts/recipes.mjs writes from it. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { z } from 'zod'
import { CLIENTS } from '../clients/matrix/clients.ts'
import { ROOT } from '../docs/pages.ts'

const Recipes = z.array(
  z.strictObject({
    id: z.string(),
    title: z.string(),
    text: z.string(),
    set: z.enum(['variables', 'an option']).optional(),
    settings: z.array(z.tuple([z.string(), z.string()])),
    works: z.string(),
    fails: z.string().optional(),
    client: z.string().optional(),
    library: z.string().optional(),
    notRun: z.string().optional(),
  }),
)
const SOURCE = readFileSync(join(ROOT, 'scripts/recipes.yaml'), 'utf8')
const recipes = Recipes.parse(parse(SOURCE))
const FOLDER = join(ROOT, 'docs/recipes')

describe.each(recipes)('the recipe $id', ({ id, client, library, notRun }) => {
  test('names a client of the matrix, or says why it was not run', () => {
    const named = [client, library].filter((name) => name !== undefined)
    expect(CLIENTS.map(({ name }) => name)).toEqual(expect.arrayContaining(named))
    expect(named.length + (notRun === undefined ? 0 : 1)).toBe(1)
  })

  test('names the source of its settings', () => {
    expect(SOURCE).toMatch(new RegExp(String.raw`^# .+\n(?:# .+\n)*- id: ${id}$`, 'm'))
  })
})

test.each(readdirSync(FOLDER))('%s has at most 120 words', (page) => {
  const text = readFileSync(join(FOLDER, page), 'utf8')
    .replace(/<!--.*?-->/s, '')
    .replaceAll(/\]\([^)]*\)/g, ']')
  expect(text.match(/[\p{L}\p{N}][^\s|]*/gu)?.length).toBeLessThanOrEqual(120)
})
