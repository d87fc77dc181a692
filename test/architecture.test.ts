/** Holds the imports of src/ to docs/architecture.md, and the layout of test/ to that of src/. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { basename, dirname, join, posix } from 'node:path'
import { expect, test } from 'vitest'

const SRC = join(import.meta.dirname, '../src')

/** What each file imports, types included: files by their paths in src/, packages by their names. */
const IMPORTS = new Map(
  readdirSync(SRC, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((file) => {
      const source = readFileSync(join(SRC, file), 'utf8')
      const found = source.matchAll(/\b(?:from |import |import\()'([^']+)'/g)
      const names = [...found].map(([, name = '']) => name)
      return [
        file,
        names.map((name) => (name.startsWith('.') ? posix.join(dirname(file), name) : name)),
      ] as const
    }),
)

const importsOf = (folder: string) =>
  [...IMPORTS].flatMap(([file, names]) => (file.startsWith(folder) ? names : []))

test('the imports are found', () => {
  expect(IMPORTS.get('precompiled.ts')).toContain('commands/serve/serve.ts')
  expect(IMPORTS.get('exchange/http-client.ts')).toContain('lib/undici.ts')
})

test.each([
  // lib/ is the ground floor.
  ['lib/', /^(?!lib\/|errors\.ts|secret\.ts)[\w-]+(?:\/.*)?\.ts$/],
  // The wire, and nothing of Entra ID or of servers.
  [
    'dialects/',
    /^(?:exchange|server|config|telemetry|commands)\/|^(?:lib\/undici\.ts|undici|fastify)$/,
  ],
  [
    'metadata/',
    /^(?:exchange|server|config|telemetry|commands|tokens)\/|^(?:lib\/undici\.ts|undici|fastify)$/,
  ],
  // Entra ID, and nothing of servers.
  ['exchange/', /^(?:dialects|metadata|server|telemetry|commands)\/|^fastify$/],
  // Neither, and no I/O.
  [
    'tokens/',
    /^(?:dialects|metadata|exchange|server|config|telemetry|commands)\/|^node:(?:fs|net|http|tls)|^(?:lib\/undici\.ts|undici)$/,
  ],
  ['server/', /^(?:exchange|kubernetes|simulator|commands)\//],
  ['config/', /^(?:dialects|exchange|server|tokens|telemetry|commands)\//],
  ['telemetry/', /^(?:commands|status-page|doctor|kubernetes)\//],
  [
    'kubernetes/injector/',
    /^(?:dialects|exchange|tokens|commands|server|kubernetes\/(?!injector))\//,
  ],
  ['kubernetes/', /^(?:dialects|exchange|tokens|commands)\//],
  ['trust/', /^(?:dialects|metadata|tokens|server|telemetry|simulator|doctor|commands)\//],
  // The simulator checks the sidecar, so it shares nothing with it that it checks.
  [
    'simulator/',
    /^(?:dialects|metadata|exchange|server|tokens|identities|clouds|telemetry|commands)\b/,
  ],
])('%s imports nothing that matches %s', (folder, forbidden) => {
  expect(importsOf(folder).filter((name) => forbidden.test(name))).toEqual([])
})

/** The files that are loaded with this one, without those that it imports with `import()`. */
function loadedWith(file: string, found = new Set<string>()): ReadonlySet<string> {
  if (found.has(file) || !IMPORTS.has(file)) return found
  found.add(file)
  const source = readFileSync(join(SRC, file), 'utf8')
  for (const [, name = ''] of source.matchAll(/^(?:import|\} from|export) .*'(\.[^']+)'/gm)) {
    loadedWith(posix.join(dirname(file), name), found)
  }
  return found
}

test('the sidecar is started without the parser of flags and without help texts', () => {
  const loaded = new Set([...loadedWith('cli.ts'), ...loadedWith('commands/serve/serve.ts')])
  expect(loaded).toContain('server/app.ts')
  expect(
    [...loaded].filter((file) => /^lib\/args|^commands\/(?:declarations|help)|^trust\//.test(file)),
  ).toEqual([])
})

test.each(['probe', 'redirect'])('wimds %s loads the declaration of no other command', (name) => {
  const loaded = [...loadedWith(`commands/${name}.ts`)]
  const declarations = loaded.filter((file) => /^commands\/(?:declarations|help)/.test(file))
  expect(declarations.filter((file) => !file.endsWith('/declaration.ts'))).toEqual([
    `commands/declarations/${name}.ts`,
  ])
})

test('no imports form a cycle', () => {
  const done = new Set<string>()
  const findCycle = (file: string, path: readonly string[]): readonly string[] | undefined => {
    if (path.includes(file)) return [...path.slice(path.indexOf(file)), file]
    if (done.has(file)) return undefined
    for (const next of IMPORTS.get(file) ?? []) {
      const cycle = findCycle(next, [...path, file])
      if (cycle !== undefined) return cycle
    }
    done.add(file)
    return undefined
  }
  expect([...IMPORTS.keys()].map((file) => findCycle(file, [])).find(Boolean)).toBeUndefined()
})

test('each test of a folder of src/ is named after a file or folder there', () => {
  const folders = readdirSync(SRC, { withFileTypes: true }).filter((entry) => entry.isDirectory())
  const tests = folders.flatMap(({ name }) => {
    const folder = join(import.meta.dirname, name)
    if (!existsSync(folder)) return []
    return readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.test.ts'))
      .map((file) => posix.join(name, file))
  })
  expect(tests.length).toBeGreaterThan(50)
  // `token-cache.model.test.ts` tests `token-cache.ts`.
  const subject = (file: string) => join(SRC, dirname(file), basename(file).replace(/\..*/, ''))
  expect(
    tests.filter((file) => !existsSync(`${subject(file)}.ts`) && !existsSync(subject(file))),
  ).toEqual([])
})
