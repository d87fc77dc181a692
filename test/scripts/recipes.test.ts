/** Each recipe was tried by a client of the matrix, or says why not. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { CLIENTS } from '../clients/matrix/clients.ts'

interface Recipe {
  readonly id: string
  readonly client?: string
  readonly library?: string
  readonly notRun?: string
}

const recipes: readonly Recipe[] = parse(readFileSync('scripts/recipes.yaml', 'utf8'))

test.each(recipes)(
  'the recipe $id names a client of the matrix, or says why it was not run',
  ({ client, library, notRun }) => {
    const named = [client, library].filter((name) => name !== undefined)
    expect(CLIENTS.map(({ name }) => name)).toEqual(expect.arrayContaining(named))
    expect(named.length + (notRun === undefined ? 0 : 1)).toBe(1)
  },
)
