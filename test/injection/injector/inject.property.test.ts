/** Properties of every pod that can be injected. */
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { INJECTED, readRecord } from '../../../src/injection/injector/injection-record.ts'
import { uninject } from '../../../src/injection/injector/uninject.ts'
import { ROUTING_MODES } from '../../../src/lib/sidecar-interface.ts'
import { injected, patchFor } from './patched.ts'
import { pods } from './arbitrary-pod.ts'

const cases = fc.record({
  pod: pods,
  mode: fc.constantFrom(...ROUTING_MODES),
})

/** Annotations that are valid together. */
const annotations = fc.oneof(
  fc.record({ 'wimds.io/mode': fc.constant('node') }),
  fc.record(
    {
      'wimds.io/mode': fc.constantFrom('env', 'loopback', 'nft'),
      'wimds.io/port': fc.constantFrom('8100', '8200'),
      'wimds.io/admin-port': fc.constantFrom('9200', '9300'),
      'wimds.io/prefetch': fc.constant('https://vault.azure.net'),
      'wimds.io/https-proxy': fc.constant('http://proxy:3128'),
      'wimds.io/no-proxy': fc.constant('a'),
      'wimds.io/ca-secret': fc.constantFrom('old', 'new'),
    },
    { requiredKeys: ['wimds.io/mode'] },
  ),
)

test('injects every pod once, changes no variable of its author but NO_PROXY, and the removal restores the pod', () => {
  fc.assert(
    fc.property(cases, ({ pod, ...settings }) => {
      const once = injected(pod, settings)
      expect(patchFor(once, settings)).toEqual([])
      // Injection does not even add an fsGroup.
      expect(once.spec.securityContext).toEqual(pod.spec.securityContext)
      const removal = uninject(once)
      if (removal.kind !== 'uninjected') throw new Error(removal.kind)
      expect(withoutEmpty(removal.pod)).toEqual(withoutEmpty(pod))
      // Of the author's variables, injection has changed only NO_PROXY.
      const changes = Object.values(readRecord(once)?.env ?? {}).flatMap(Object.entries)
      const changed = changes.filter(([, [before]]) => before !== null).map(([name]) => name)
      expect(changed.filter((name) => !/^no_proxy$/i.test(name))).toEqual([])
    }),
  )
})

test('injects a pod again, with other annotations, like a new pod', () => {
  fc.assert(
    fc.property(pods, annotations, annotations, ({ metadata, spec }, before, now) => {
      const annotated = (own: object) => ({
        metadata: { ...metadata, annotations: { ...metadata?.annotations, ...own } },
        spec,
      })
      const once = injected(annotated(before))
      const record = { [INJECTED]: once.metadata.annotations[INJECTED] }
      const again = { ...once, metadata: annotated({ ...now, ...record }).metadata }
      expect(withoutEmpty(injected(again))).toEqual(withoutEmpty(injected(annotated(now))))
    }),
  )
})

/** Drops what a removal cannot restore: an empty list or map, and null. */
const withoutEmpty = (value: unknown): unknown =>
  JSON.parse(JSON.stringify(value), (_, member: unknown) =>
    typeof member === 'object' && Object.keys(member ?? {}).length === 0 ? undefined : member,
  )
