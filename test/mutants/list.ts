/** The list of mutants, which are found again by their texts, not by their lines. */
import { createHash } from 'node:crypto'
import { existsSync, globSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { findSites, type Site } from './sites.ts'

/** A mutant, found again by its text, not by its line. */
export interface Mutant {
  readonly file: string
  readonly within: string
  readonly kind: string
  readonly from: string
  readonly to: string
  /** The position among the mutants with the same text, from 1. */
  readonly nth: number
  /** The test that noticed the mutant, as `FILE > TITLE`, or the error of a run without a failed test. Absent: the mutant survived. */
  readonly killed?: string
  readonly seconds?: number
}

export const ROOT = join(import.meta.dirname, '../..')
const LIST = join(import.meta.dirname, 'mutants.jsonl')

export const idOf = ({ file, within, kind, from, to, nth }: Mutant) =>
  [file, within, kind, from, to, nth].join('\0')

/** Finds every mutant of src/, with its place in the current file. */
export function findMutants(): ReadonlyMap<
  string,
  { readonly mutant: Mutant; readonly site: Site }
> {
  const files = globSync('src/**/*.ts', { cwd: ROOT })
  return new Map(
    files.flatMap((file) => {
      const seen = new Map<string, number>()
      return findSites(readFileSync(join(ROOT, file), 'utf8')).map((site) => {
        const { within, kind, from, to } = site
        const alike = { file, within, kind, from: shorten(from), to: shorten(to) }
        const key = JSON.stringify(alike)
        const nth = (seen.get(key) ?? 0) + 1
        seen.set(key, nth)
        const mutant = { ...alike, nth }
        return [idOf(mutant), { mutant, site }] as const
      })
    }),
  )
}

const shorten = (text: string) => text.replaceAll(/\s+/g, ' ').trim().slice(0, 100)

export function readList(): readonly Mutant[] {
  const lines = existsSync(LIST) ? readFileSync(LIST, 'utf8').trim().split('\n') : []
  return lines.map((line): Mutant => JSON.parse(line))
}

export function writeList(mutants: Iterable<Mutant>): void {
  const sorted = [...mutants].toSorted((a, b) => (idOf(a) < idOf(b) ? -1 : 1))
  writeFileSync(LIST, sorted.map((each) => `${JSON.stringify(each)}\n`).join(''))
}

/** Draws in the order of hashes, so that an edit elsewhere changes nothing; of no kind more than a fifth. */
export function draw(from: readonly Mutant[], count: number): readonly Mutant[] {
  const rank = (mutant: Mutant) => createHash('sha256').update(idOf(mutant)).digest('hex')
  const drawn = new Map<string, number>()
  return from
    .toSorted((a, b) => (rank(a) < rank(b) ? -1 : 1))
    .filter(({ kind }) => {
      drawn.set(kind, (drawn.get(kind) ?? 0) + 1)
      return (drawn.get(kind) ?? 0) <= Math.ceil(count / 5)
    })
    .slice(0, count)
}
