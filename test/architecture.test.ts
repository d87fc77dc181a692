/** Holds the imports of src/ to docs/architecture.md, and the layout of test/ to src/. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { basename, dirname, join, posix } from 'node:path'
import { expect, test } from 'vitest'

const SRC = join(import.meta.dirname, '../src')

/** The imports of each file, types included: files by their paths in src/, packages by their names. */
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
  expect(IMPORTS.get('cli/precompiled.ts')).toContain('sidecar/serve.ts')
  expect(IMPORTS.get('broker/exchange/dispatcher.ts')).toContain('lib/undici.ts')
})

test.each([
  // The floors.
  ['lib/', /^(?:redirect|service|broker|kubernetes|sidecar|node|injection|tools|cli)\//],
  ['redirect/', /^(?:service|broker|kubernetes|sidecar|node|injection|tools|cli)\//],
  ['service/', /^(?:redirect|broker|kubernetes|sidecar|node|injection|tools|cli)\//],
  ['broker/', /^(?:redirect|kubernetes|sidecar|node|injection|tools|cli)\//],
  ['kubernetes/', /^(?:redirect|broker|sidecar|node|injection|tools|cli)\//],
  ['sidecar/', /^(?:kubernetes|node|injection|tools|cli)\//],
  ['node/', /^(?:sidecar|injection|tools|cli)\//],
  ['injection/', /^(?:sidecar|node|tools|cli)\//],
  ['tools/', /^cli\/(?!precompiled)/],
  // The wire, and nothing of Entra ID or of servers.
  [
    'broker/dialects/',
    /^broker\/(?:exchange|server|config|telemetry)\/|^(?:lib\/undici\.ts|undici|fastify)$/,
  ],
  [
    'broker/metadata/',
    /^broker\/(?:exchange|server|config|telemetry|tokens)\/|^(?:lib\/undici\.ts|undici|fastify)$/,
  ],
  // Entra ID, and nothing of servers.
  [
    'broker/exchange/',
    /^broker\/(?:dialects|metadata|server|telemetry)\/|^broker\/(?:broker|exchange-stack|reload)\.ts|^fastify$/,
  ],
  // Neither, and no I/O.
  [
    'broker/tokens/',
    /^broker\/(?:dialects|metadata|exchange|server|config|telemetry)\/|^broker\/(?:broker|exchange-stack|reload)\.ts|^node:(?:fs|net|http|tls)|^(?:lib\/undici\.ts|undici)$/,
  ],
  ['broker/server/', /^broker\/(?:exchange)\/|^broker\/(?:broker|exchange-stack|reload)\.ts/],
  [
    'broker/config/',
    /^broker\/(?:dialects|exchange|server|tokens|telemetry)\/|^broker\/(?:broker|exchange-stack|reload)\.ts/,
  ],
  ['broker/telemetry/', /^broker\/(?:status-page)\/|^broker\/(?:broker|exchange-stack|reload)\.ts/],
  [
    'injection/injector/',
    /^broker\/(?:dialects|exchange|tokens|server)\/|^broker\/(?:broker|exchange-stack|reload)\.ts|^injection\/(?!injector)/,
  ],
  [
    'tools/trust/',
    /^broker\/(?:dialects|metadata|tokens|server|telemetry)\/|^broker\/(?:broker|exchange-stack|reload)\.ts|^tools\/(?:simulator|doctor)\//,
  ],
  // The simulator checks the sidecar, so it shares nothing with it that it checks.
  [
    'tools/simulator/',
    /^broker\/(?:dialects|metadata|exchange|server|tokens|identities|telemetry|broker|exchange-stack|reload)\b|^lib\/clouds/,
  ],
])('%s imports nothing that matches %s', (folder, forbidden) => {
  expect(importsOf(folder).filter((name) => forbidden.test(name))).toEqual([])
})

/** The files that are loaded with this one, without those that it imports with `import()`. */
function loadedWith(file: string, found = new Set<string>()): ReadonlySet<string> {
  if (found.has(file) || !IMPORTS.has(file)) return found
  found.add(file)
  const source = readFileSync(join(SRC, file), 'utf8')
  for (const [, name = ''] of source.matchAll(
    /^(?:import(?! type)|\} from|export) .*'(\.[^']+)'/gm,
  )) {
    loadedWith(posix.join(dirname(file), name), found)
  }
  return found
}

test('the sidecar is started without the parser of flags and without help texts', () => {
  const loaded = [...new Set([...loadedWith('cli.ts'), ...loadedWith('sidecar/serve.ts')])]
  expect(loaded).toContain('broker/server/app.ts')
  expect(
    loaded.filter((file) => /^lib\/args|\/declaration\.ts$|^cli\/help|^tools\//.test(file)),
  ).toEqual([])
})

// With another one, a reader of the log that stalls would stall the command.
test.each([
  'sidecar/serve.ts',
  'injection/webhook/webhook.ts',
  'node/agent/node-agent.ts',
  'node/broker/node-broker.ts',
])('%s logs by the output that never blocks', (file) => {
  expect(readFileSync(join(SRC, file), 'utf8')).toContain('createLogOutput(')
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

test('the sources use no global that Node 22 lacks', () => {
  const users = [...IMPORTS.keys()].filter((file) =>
    /\b(?:Async)?DisposableStack\b/.test(readFileSync(join(SRC, file), 'utf8')),
  )
  expect(users).toEqual([])
})
