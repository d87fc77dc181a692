/** Properties of removal, for every manifest and style of YAML. */
import { isDeepStrictEqual } from 'node:util'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import type { InjectionSettings } from '../../../../src/cluster/injector/settings.ts'
import { injectManifests } from '../../../../src/tools/inject/manifests/inject-manifests.ts'
import { uninjectManifests } from '../../../../src/tools/inject/manifests/uninject-manifests.ts'
import { ROUTING_MODES, type RoutingMode } from '../../../../src/lib/sidecar-interface.ts'
import { pods } from '../../../cluster/injector/arbitrary-pod.ts'
import { CLIENT, settings, TENANT } from '../../../cluster/injector/patched.ts'
import { PRINTERS } from './printers.ts'

/** Each run parses and prints a manifest several times. */
const RUNS = { numRuns: 20 }

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

const styles = fc.record({
  print: fc.constantFrom(...PRINTERS),
  mode: fc.constantFrom(...ROUTING_MODES),
  hasNativeSidecars: fc.boolean(),
  alwaysSetsNoProxy: fc.boolean(),
  credentials: fc.constantFrom({}, { 'wimds.io/sdk-credentials': 'managed-identity' }),
})

/** Returns manifests of pods, changed by the function, and settings. */
function casesOf(change: (pod: object) => unknown) {
  return fc
    .tuple(pods, styles)
    .map(([{ metadata, spec }, { print, mode, credentials, ...more }]) => {
      const annotations = { ...metadata?.annotations, ...credentials }
      const about = { apiVersion: 'v1', kind: 'Pod', metadata: { ...metadata, annotations } }
      const pod = change({ ...about, spec })
      // Mode node needs native sidecars.
      const hasNativeSidecars = more.hasNativeSidecars || mode === 'node'
      return { pod, source: print(pod), more: { ...more, mode, hasNativeSidecars } }
    })
    .filter(({ pod, source }) => isDeepStrictEqual(parse(source), pod))
}

const cases = casesOf((pod) => pod)
const restorable = casesOf(dropLost)

const hasNoProxy = (source: string) => /no_proxy/i.test(source)

type Overrides = Partial<InjectionSettings> & { readonly mode: RoutingMode }

function inject(source: string, more: Overrides): string {
  return resultOf(
    injectManifests([{ name: 'pod.yaml', source }], {
      settings: settings({ clientId: CLIENT, tenantId: TENANT, ...more }),
      namespace: undefined,
    }),
  )
}

function uninject(source: string): string {
  return resultOf(uninjectManifests([{ name: 'pod.yaml', source }]))
}

function resultOf({ files, problems }: ReturnType<typeof uninjectManifests>): string {
  expect(problems).toEqual([])
  const [file] = files
  if (file === undefined) throw new Error('no file')
  return file.result
}

describe('for every manifest', { timeout: 120_000 }, () => {
  test('removal restores what was injected, to the byte but for the style of a changed value', () => {
    fc.assert(
      fc.property(restorable, ({ pod, source, more }) => {
        const result = uninject(inject(source, more))
        expect(hasNoProxy(source) ? parse(result) : result).toEqual(
          hasNoProxy(source) ? pod : source,
        )
      }),
      RUNS,
    )
  })

  test('nothing of wimds is left, and removal changes nothing where nothing was injected', () => {
    fc.assert(
      fc.property(cases, ({ source, more }) => {
        expect(uninject(source)).toBe(source)
        const result = uninject(inject(source, more))
        const left = JSON.stringify(parse(result)).replaceAll('wimds.io/sdk-credentials', '')
        expect(left).not.toMatch(/wimds|AZURE_POD_IDENTITY|AZURE_TOKEN_CREDENTIALS/)
        expect(uninject(result)).toBe(result)
      }),
      RUNS,
    )
  })
})
