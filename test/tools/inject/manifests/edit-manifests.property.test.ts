/** Properties of every manifest, in every style of YAML. */
import { isDeepStrictEqual } from 'node:util'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parse, stringify } from 'yaml'
import { editManifests } from '../../../../src/tools/inject/manifests/edit-manifests.ts'
import type { InjectionSettings } from '../../../../src/injection/injector/injection-settings.ts'
import { ROUTING_MODES, type RoutingMode } from '../../../../src/lib/sidecar-interface.ts'
import { pods } from '../../../injection/injector/arbitrary-pod.ts'
import { injected, SERVICE_ACCOUNT, settings } from '../../../injection/injector/patched.ts'

/** Each run parses and prints a manifest several times. */
const RUNS = { numRuns: 12 }

const PLAIN = {
  aliasDuplicateObjects: false,
  lineWidth: 0,
  defaultStringType: 'QUOTE_DOUBLE',
} as const

/** Ways to print the same data. */
const PRINTERS: readonly ((value: unknown) => string)[] = [
  (value) => stringify(value, PLAIN),
  (value) => stringify(value, { ...PLAIN, indentSeq: false }),
  (value) => stringify(value, { ...PLAIN, indent: 4 }),
  (value) => stringify(value, { ...PLAIN, collectionStyle: 'flow' }),
  (value) => stringify(value, { ...PLAIN, defaultStringType: 'PLAIN' }),
  (value) => stringify(value, { ...PLAIN, defaultStringType: 'BLOCK_LITERAL' }),
  (value) => stringify(value, PLAIN).trimEnd(),
  (value) => stringify(value, PLAIN).replaceAll('\n', '\r\n'),
  (value) => `# before\n---\n${stringify(value, PLAIN)}\n\n# behind\n`,
  (value) => JSON.stringify(value),
  (value) => `${JSON.stringify(value, null, 2)}\n`,
  (value) => JSON.stringify(value, null, '    '),
]

const cases = fc
  .record({
    pod: pods,
    print: fc.constantFrom(...PRINTERS),
    mode: fc.constantFrom(...ROUTING_MODES),
    alwaysSetsNoProxy: fc.boolean(),
  })
  // The library prints a literal block of blanks so that they are lost.
  .filter(({ pod, print }) => isDeepStrictEqual(parse(print(pod)), pod))

type Overrides = Partial<InjectionSettings> & { readonly mode: RoutingMode }

function inject(source: string, more: Overrides): string {
  return resultOf(
    editManifests([{ name: 'pod.yaml', source }], {
      settings: settings(more),
      identity: SERVICE_ACCOUNT,
      namespace: undefined,
    }),
  )
}

function uninject(source: string): string {
  return resultOf(editManifests([{ name: 'pod.yaml', source }], undefined))
}

function resultOf({ files, problems }: ReturnType<typeof editManifests>): string {
  expect(problems).toEqual([])
  const [file] = files
  if (file === undefined) throw new Error('no file')
  return file.result
}

/** Returns the value without what removal cannot restore: an empty list or map. */
function dropLost(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(dropLost)
  if (typeof value !== 'object' || value === null) return value
  const members = Object.entries(value).map(([key, member]) => [key, dropLost(member)] as const)
  return Object.fromEntries(members.filter(([key, member]) => !isLost(key, member)))
}

const FILLED = new Set(['env', 'initContainers', 'volumes', 'annotations', 'metadata'])

function isLost(key: string, value: unknown): boolean {
  return FILLED.has(key) && Object.keys(value ?? {}).length === 0
}

describe('for every manifest', { timeout: 120_000 }, () => {
  test('the text parses to the pod that the patch gives, also when it is injected again', () => {
    fc.assert(
      fc.property(cases, ({ pod, print, mode }) => {
        const other = { port: 8123, image: 'wimds:other' }
        const object = { apiVersion: 'v1', kind: 'Pod', ...pod }
        const result = inject(print(object), { mode })
        const once = injected(pod, { mode })
        expect(parse(result)).toEqual({ ...object, metadata: once.metadata, spec: once.spec })
        expect(inject(result, { mode })).toBe(result)
        const { metadata, spec } = injected(once, { mode, ...other })
        expect(parse(inject(result, { mode, ...other }))).toEqual({ ...object, metadata, spec })
      }),
      RUNS,
    )
  })

  test('removal restores what was injected, and changes nothing else', () => {
    fc.assert(
      fc.property(cases, ({ pod, print, ...more }) => {
        const source = print({ apiVersion: 'v1', kind: 'Pod', ...pod })
        expect(uninject(source)).toBe(source)
        const result = uninject(inject(source, more))
        expect(dropLost(parse(result))).toEqual(dropLost(parse(source)))
        expect(result).not.toMatch(/wimds|AZURE_POD_IDENTITY/)
        expect(uninject(result)).toBe(result)
      }),
      RUNS,
    )
  })
})
