/** Runs the tests of a mutant in a copy of the repository, and finds the one that notices it. */
import { execFileSync, spawn } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  globSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { type Mutant, ROOT } from './list.ts'
import type { Site } from './sites.ts'

const importsOf = (file: string) =>
  [...readFileSync(join(ROOT, file), 'utf8').matchAll(/\bfrom '(\.[^']+)'/g)]
    .map(([, name = '']) => join(dirname(file), name))
    .filter((name) => name.startsWith('test/') && existsSync(join(ROOT, name)))

/** A test file and the files of test/ that it loads. */
export function loadedBy(file: string, found = new Set<string>()): ReadonlySet<string> {
  if (found.has(file) || !existsSync(join(ROOT, file))) return found
  found.add(file)
  for (const next of importsOf(file)) loadedBy(next, found)
  return found
}
const runsBuild = (file: string) =>
  [...loadedBy(file)].some((name) =>
    /BUILT_CLI|dist\/wimds/.test(readFileSync(join(ROOT, name), 'utf8')),
  )

const testsOf = (pattern: string) => globSync(`test/${pattern}.test.ts`, { cwd: ROOT }).toSorted()

/** The test files that may notice a mutant, in the order in which they run: the likeliest first. */
function phasesOf(
  { file, killed }: Mutant,
  also: readonly string[],
): readonly (readonly string[])[] {
  const path = file.replace(/^src\//, '').replace(/\.ts$/, '')
  const parents = path
    .split('/')
    .slice(0, -1)
    .map((_, index, names) => names.slice(0, names.length - index).join('/'))
  const killer = killed?.split(' > ')[0] ?? ''
  const wanted = [
    existsSync(join(ROOT, killer)) && killer.startsWith('test/') ? [killer] : [],
    [path, `${path}.*`].flatMap(testsOf),
    ...parents.map((parent) => [`${parent}/**/*`, parent, `${parent}.*`].flatMap(testsOf)),
    also.flatMap((each) =>
      globSync([`${each}/**/*.test.ts`, each], { cwd: ROOT }).filter((name) =>
        name.endsWith('.test.ts'),
      ),
    ),
  ]
  const seen = new Set<string>()
  return wanted
    .map((files) => files.filter((name) => !seen.has(name) && seen.add(name)))
    .filter((files) => files.length > 0)
}

/** Runs a program. Resolves to true if it succeeded, to false if it failed, and to undefined after the time limit. */
async function run(cwd: string, limitS: number, program: string, ...args: string[]) {
  const child = spawn(program, args, { cwd, stdio: 'ignore', detached: true })
  let isLate = false
  const timer = setTimeout(() => {
    isLate = true
    process.kill(-(child.pid ?? 0), 'SIGKILL')
  }, limitS * 1000)
  const code = await new Promise((resolve) => child.on('close', resolve).on('error', resolve))
  clearTimeout(timer)
  return isLate ? undefined : code === 0
}

interface Report {
  readonly testResults: readonly {
    readonly name: string
    readonly status: string
    readonly message: string
    readonly assertionResults: readonly { readonly status: string; readonly fullName: string }[]
  }[]
}

/** Returns the first failed test of a report. */
function readKiller(report: string, copy: string): string {
  if (!existsSync(report)) return 'no report'
  const { testResults }: Report = JSON.parse(readFileSync(report, 'utf8'))
  for (const { name, assertionResults } of testResults) {
    const failed = assertionResults.find((test) => test.status === 'failed')
    if (failed !== undefined) return `${relative(copy, name)} > ${failed.fullName}`
  }
  // vitest also reports the files that did not run as failed, without a message.
  const broken = testResults.find(({ status, message }) => status === 'failed' && message !== '')
  if (broken !== undefined) return `${relative(copy, broken.name)} > (cannot be loaded)`
  return 'an unhandled error'
}

/** Runs the tests of a mutant in a copy of the repository. Resolves to the test or error that noticed the mutant, or undefined. */
export async function findKiller(
  mutant: Mutant,
  site: Site,
  { copy, also }: { readonly copy: string; readonly also: readonly string[] },
): Promise<string | undefined> {
  const target = join(copy, mutant.file)
  const original = readFileSync(target, 'utf8')
  writeFileSync(target, original.slice(0, site.start) + site.to + original.slice(site.end))
  const report = join(copy, 'report.json')
  let isBuilt = false
  try {
    for (const files of phasesOf(mutant, also)) {
      if (!isBuilt && files.some(runsBuild)) {
        if ((await run(copy, 60, 'node', 'scripts/build.mjs')) !== true) return 'the build'
        isBuilt = true
      }
      rmSync(report, { force: true })
      const isGood = await run(
        copy,
        300,
        'node',
        'node_modules/vitest/vitest.mjs',
        'run',
        ...files,
        '--bail=1',
        '--maxWorkers=2',
        '--testTimeout=20000',
        '--hookTimeout=20000',
        '--reporter=json',
        '--outputFile=report.json',
      )
      if (isGood === undefined) return `the time limit of ${files[0] ?? ''}`
      if (!isGood) return readKiller(report, copy)
    }
    return undefined
  } finally {
    writeFileSync(target, original)
    if (isBuilt) await run(copy, 60, 'node', 'scripts/build.mjs')
  }
}

export function copyRepository(): string {
  const copy = mkdtempSync(join(tmpdir(), 'wimds-mutants-'))
  // Brokers of mode node run as another user, who has to read the copy.
  chmodSync(copy, 0o755)
  const files = execFileSync('git', ['ls-files', '-co', '--exclude-standard'], {
    cwd: ROOT,
    encoding: 'utf8',
  })
  const present = files.split('\n').filter((file) => file !== '' && existsSync(join(ROOT, file)))
  execFileSync('cp', ['-P', '--parents', '-t', copy, ...present], { cwd: ROOT })
  const modules = globSync(
    ['node_modules', '*/node_modules', 'test/*/node_modules', 'scripts/*/node_modules'],
    { cwd: ROOT },
  )
  for (const folder of modules) execFileSync('cp', ['-al', join(ROOT, folder), join(copy, folder)])
  execFileSync('cp', ['-a', join(ROOT, 'dist'), copy])
  return copy
}
