/** docs/architecture.md: which part of src/ knows of which, held against the imports. */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, posix } from 'node:path'
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

const importsOf = (part: string) =>
  [...IMPORTS].flatMap(([file, names]) => (file.startsWith(part) ? names : []))

test('reads the imports', () => {
  expect(IMPORTS.get('cli.ts')).toContain('commands/serve/serve.ts')
  expect(IMPORTS.get('exchange/network.ts')).toContain('undici')
})

test.each([
  // The wire, and nothing of Entra ID or of servers.
  ['dialects/', /^(?:exchange|http|config|telemetry|commands)\/|^(?:undici|fastify)$/],
  ['metadata/', /^(?:exchange|http|config|telemetry|commands|tokens)\/|^(?:undici|fastify)$/],
  // Entra ID, and nothing of servers.
  ['exchange/', /^(?:dialects|metadata|http|telemetry|commands)\/|^fastify$/],
  // Neither, and no I/O.
  [
    'tokens/',
    /^(?:dialects|metadata|exchange|http|config|telemetry|commands)\/|^node:(?:fs|net|http|tls)|^undici$/,
  ],
  ['http/', /^(?:exchange|kubernetes|simulator|commands)\//],
  ['config/', /^(?:dialects|exchange|http|tokens|telemetry|commands)\//],
  ['telemetry/', /^(?:commands|status-page|doctor|kubernetes)\//],
  ['kubernetes/', /^(?:dialects|exchange|http|tokens|commands)\//],
  // What verifies the sidecar shares nothing with it that it verifies.
  ['simulator/', /^(?:dialects|metadata|exchange|http|tokens|identities|telemetry|commands)\b/],
])('%s imports nothing of %s', (part, others) => {
  expect(importsOf(part).filter((name) => others.test(name))).toEqual([])
})

test('no imports lead round in a circle', () => {
  const isDone = new Set<string>()
  const circleFrom = (file: string, way: readonly string[]): readonly string[] | undefined => {
    if (way.includes(file)) return [...way.slice(way.indexOf(file)), file]
    if (isDone.has(file)) return undefined
    for (const next of IMPORTS.get(file) ?? []) {
      const circle = circleFrom(next, [...way, file])
      if (circle !== undefined) return circle
    }
    isDone.add(file)
    return undefined
  }
  expect([...IMPORTS.keys()].map((file) => circleFrom(file, [])).find(Boolean)).toBeUndefined()
})
