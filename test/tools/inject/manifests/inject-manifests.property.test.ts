/** Properties of every manifest, in every style of YAML. */
import { isDeepStrictEqual } from 'node:util'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parse, parseAllDocuments } from 'yaml'
import { injectManifests } from '../../../../src/tools/inject/manifests/inject-manifests.ts'
import type { InjectionSettings } from '../../../../src/cluster/injector/settings.ts'
import { ROUTING_MODES, type RoutingMode } from '../../../../src/lib/sidecar-interface.ts'
import { pods } from '../../../cluster/injector/arbitrary-pod.ts'
import { injected, settings, TENANT, CLIENT } from '../../../cluster/injector/patched.ts'
import { PRINTERS } from './printers.ts'

/** Each run parses and prints a manifest several times. */
const RUNS = { numRuns: 20 }

const OPTIONS = { clientId: CLIENT, tenantId: TENANT }

const cases = fc
  .record({
    pod: pods,
    print: fc.constantFrom(...PRINTERS),
    mode: fc.constantFrom(...ROUTING_MODES),
  })
  // The library prints a literal block of blanks so that they are lost.
  .filter(({ pod, print }) => isDeepStrictEqual(parse(print(pod)), pod))

function run(source: string, mode: RoutingMode, more: Partial<InjectionSettings> = {}) {
  const { files, problems } = injectManifests([{ name: 'pod.yaml', source }], {
    settings: settings({ mode, ...OPTIONS, ...more }),
    namespace: undefined,
  })
  expect(problems).toEqual([])
  const [file] = files
  if (file === undefined) throw new Error('no file')
  return file
}

describe('for every manifest', { timeout: 120_000 }, () => {
  test('the text parses to the pod that the patch gives, also when it is injected again', () => {
    fc.assert(
      fc.property(cases, ({ pod, print, mode }) => {
        // Mode node needs native sidecars.
        const other = { port: 8123, image: 'wimds:other', hasNativeSidecars: mode === 'node' }
        const object = { apiVersion: 'v1', kind: 'Pod', ...pod }
        const { result } = run(print(object), mode)
        const once = injected(pod, { mode, ...OPTIONS })
        expect(parse(result)).toEqual({ ...object, metadata: once.metadata, spec: once.spec })
        expect(run(result, mode).result).toBe(result)
        const { metadata, spec } = injected(once, { mode, ...OPTIONS, ...other })
        expect(parse(run(result, mode, other).result)).toEqual({ ...object, metadata, spec })
      }),
      RUNS,
    )
  })

  test('an object that is no workload, or opts out, keeps its bytes', () => {
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
      RUNS,
    )
  })
})
