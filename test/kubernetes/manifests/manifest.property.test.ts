/** What holds for every manifest, in whatever style it is written. */
import { isDeepStrictEqual } from 'node:util'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parse, parseAllDocuments, stringify } from 'yaml'
import { injectManifests } from '../../../src/kubernetes/manifests/inject-manifests.ts'
import { unifiedDiff } from '../../../src/kubernetes/manifests/unified-diff.ts'
import { ROUTING_MODES } from '../../../src/kubernetes/injector/settings.ts'
import { pods } from '../injector/arbitrary-pod.ts'
import { injected, settings, TENANT, CLIENT } from '../injector/patched.ts'

const OPTIONS = { clientId: CLIENT, tenantId: TENANT }

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
const PLAIN = {
  aliasDuplicateObjects: false,
  lineWidth: 0,
  defaultStringType: 'QUOTE_DOUBLE',
} as const

const cases = fc
  .record({
    pod: pods,
    print: fc.constantFrom(...PRINTERS),
    mode: fc.constantFrom(...ROUTING_MODES),
  })
  // The library prints a literal block of blanks so that they are lost.
  .filter(({ pod, print }) => isDeepStrictEqual(parse(print(pod)), pod))

function run(source: string, mode: (typeof ROUTING_MODES)[number]) {
  const { files, mistakes } = injectManifests([{ name: 'pod.yaml', source }], {
    settings: settings({ mode, ...OPTIONS }),
    namespace: undefined,
  })
  expect(mistakes).toEqual([])
  const [file] = files
  if (file === undefined) throw new Error('no file')
  return file
}

describe('for every manifest', () => {
  test('the text reads as the pod that the patch gives', () => {
    fc.assert(
      fc.property(cases, ({ pod, print, mode }) => {
        const object = { apiVersion: 'v1', kind: 'Pod', ...pod }
        const { result } = run(print(object), mode)
        const { metadata, spec } = injected(pod, { mode, ...OPTIONS })
        expect(parse(result)).toEqual({ ...object, metadata, spec })
      }),
    )
  })

  test('injecting the result again gives the same bytes', () => {
    fc.assert(
      fc.property(cases, ({ pod, print, mode }) => {
        const { result } = run(print({ apiVersion: 'v1', kind: 'Pod', ...pod }), mode)
        expect(run(result, mode).result).toBe(result)
      }),
    )
  })

  test('the diff’s lines, read from one side, are the source and, from the other, the result', () => {
    fc.assert(
      fc.property(cases, ({ pod, print, mode }) => {
        const source = `# first\n${print({ apiVersion: 'v1', kind: 'Pod', ...pod })}`
        const { edits, result } = run(source, mode)
        expect(patched(source, unifiedDiff('pod.yaml', source, edits))).toBe(result)
      }),
    )
  })

  test('what is no workload, or opted out, keeps its bytes', () => {
    const others = fc.oneof(
      fc.jsonValue(),
      pods.map((pod) => ({
        apiVersion: 'example.com/v1',
        kind: 'Deployment',
        spec: { template: pod },
      })),
      pods.map((pod) => ({
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { annotations: { 'wimds.io/inject': 'false' } },
        spec: { template: pod },
      })),
      pods.map(({ spec }) => ({
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { annotations: { 'wimds.io/inject': 'false' } },
        spec,
      })),
    )
    const documents = fc.array(fc.tuple(others, fc.constantFrom(...PRINTERS.slice(0, 4))), {
      maxLength: 4,
    })
    fc.assert(
      fc.property(documents, (printed) => {
        const source = printed.map(([value, print]) => `--- # next\n${print(value)}`).join('')
        fc.pre(parseAllDocuments(source).every(({ errors }) => errors.length === 0))
        expect(run(source, 'loopback').result).toBe(source)
      }),
    )
  })
})

/** The source with a unified diff applied. Throws where the diff does not fit. */
function patched(source: string, diff: string): string {
  const lines = linesOf(source)
  const result: string[] = []
  let at = 0
  // The marker says of the line before that its line break is not there.
  const body = linesOf(diff.replaceAll('\n\\ No newline at end of file\n', '<END>\n')).slice(2)
  for (const line of body) {
    const text = line.slice(1).replace(/<END>\n$/, '')
    const hunk = /^@@ -(\d+),(\d+) \+(\d+),\d+ @@/.exec(line)
    if (hunk) {
      const from = Number(hunk[1]) - (hunk[2] === '0' ? 0 : 1)
      result.push(...lines.slice(at, from))
      at = from
      if (Number(hunk[3]) !== result.length + 1) throw new Error(`wrong line number: ${line}`)
      continue
    }
    if (line.startsWith('+')) result.push(text)
    else if (text !== lines[at++]) throw new Error(`does not fit: ${line}`)
    if (line.startsWith(' ')) result.push(text)
  }
  return [...result, ...lines.slice(at)].join('')
}

function linesOf(text: string): string[] {
  return text.match(/[^\n]*\n|[^\n]+$/g) ?? []
}
