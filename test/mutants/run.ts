/**
 * Checks the tests by mutants: faults of one expression each, listed in mutants.jsonl with the test
 * that notices them.
 *
 *   node test/mutants/run.ts injection lib/connect.ts   runs the mutants of these paths of src/, all by default
 *     --draw 50                    draws so many more first
 *     --changed-since COMMIT       runs only those that were killed by a test file that has changed since, or is gone
 *     --survived                   runs only those that survived
 *     --also test/contract         tests that run, too, if those of the room notice nothing
 *
 * Exits with 1 if a mutant survives that was killed before. A mutant whose expression is gone leaves the list.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { copyRepository, findKiller, loadedBy } from './killer.ts'
import { draw, findMutants, idOf, type Mutant, readList, ROOT, writeList } from './list.ts'

/** Mutants that are tried at the same time. */
const JOBS = 2

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    draw: { type: 'string', default: '0' },
    'changed-since': { type: 'string' },
    survived: { type: 'boolean', default: false },
    also: { type: 'string', multiple: true, default: [] },
  },
})
const paths = positionals.length === 0 ? [''] : positionals
const isAsked = ({ file }: Mutant) => paths.some((path) => file.startsWith(`src/${path}`))

const found = findMutants()
const known = new Map(
  readList().flatMap((each) => (found.has(idOf(each)) ? [[idOf(each), each]] : [])),
)

const changed = new Set(
  options['changed-since'] === undefined
    ? []
    : execFileSync('git', ['diff', '--name-only', options['changed-since']], {
        cwd: ROOT,
        encoding: 'utf8',
      }).split('\n'),
)
function isDue(mutant: Mutant): boolean {
  if (!isAsked(mutant)) return false
  if (options.survived) return mutant.killed === undefined
  if (options['changed-since'] === undefined) return true
  if (mutant.killed === undefined) return false
  const [killer = ''] = mutant.killed.split(' > ')
  return (
    (killer.startsWith('test/') && !existsSync(join(ROOT, killer))) ||
    [...loadedBy(killer)].some((file) => changed.has(file))
  )
}

const fresh = [...found.values()].flatMap(({ mutant }) =>
  isAsked(mutant) && !known.has(idOf(mutant)) ? [mutant] : [],
)
const drawn = draw(fresh, Number(options.draw))
const queue = drawn.length > 0 ? [...drawn] : [...known.values()].filter(isDue)
const total = queue.length
let done = 0
let lost = 0
async function work(): Promise<void> {
  const copy = copyRepository()
  try {
    for (let mutant = queue.shift(); mutant !== undefined; mutant = queue.shift()) {
      const { killed: before, ...rest } = mutant
      const start = Date.now()
      const { site } = found.get(idOf(mutant)) ?? {}
      const killed = site && (await findKiller(mutant, site, { copy, also: options.also }))
      const seconds = Math.round((Date.now() - start) / 1000)
      known.set(idOf(mutant), { ...rest, seconds, ...(killed !== undefined && { killed }) })
      const isLost = before !== undefined && killed === undefined
      if (isLost) lost++
      const { file, within, kind, from, to } = mutant
      const result = killed ?? (isLost ? `LOST, was killed by ${before}` : 'SURVIVED')
      process.stdout.write(
        `${++done}/${total} ${file} ${within} ${kind}: ${from} → ${to || 'nothing'}\n    ${result} (${seconds} s)\n`,
      )
      writeList(known.values())
    }
  } finally {
    rmSync(copy, { recursive: true, force: true })
  }
}
await Promise.all(Array.from({ length: Math.min(JOBS, total) }, work))
const measured = [...known.values()].filter(isAsked)
process.stdout.write(
  `${measured.filter(({ killed }) => killed !== undefined).length} of ${measured.length} killed, ${lost} lost\n`,
)
process.exitCode = lost > 0 ? 1 : 0
