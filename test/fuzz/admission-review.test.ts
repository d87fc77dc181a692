/** AdmissionReviews of hostile and malformed pods: a pod gets the identity of its own ServiceAccount, or none. */
import { createHash } from 'node:crypto'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { reviewPod } from '../../src/injection/webhook/admission.ts'
import { MalformedReview } from '../../src/injection/webhook/review-queue.ts'
import { podReview } from '../fixtures/pod-review.ts'
import { pods } from '../injection/injector/arbitrary-pod.ts'
import { applyPatch, settings } from '../injection/injector/patched.ts'
import { fuzzRuns } from './mutations.ts'

/** Returns a GUID made from the name, so that each ServiceAccount has an identity of its own. */
function guidOf(name: string): string {
  const hex = createHash('sha256').update(name).digest('hex')
  return [0, 8, 12, 16, 20].map((at, index, all) => hex.slice(at, all[index + 1] ?? 32)).join('-')
}
const tenantOf = (account: string) => guidOf(`tenant of ${account}`)
/** The ServiceAccounts of one namespace name no client. */
const clientOf = (account: string) =>
  account.startsWith('billing-v2/') ? undefined : guidOf(`client of ${account}`)

const Container = z.looseObject({
  name: z.string(),
  image: z.string().optional(),
  env: z.array(z.looseObject({ name: z.string() })).nullish(),
})
const Pod = z.object({
  spec: z.object({
    containers: z.array(Container),
    initContainers: z.array(Container).nullish(),
    serviceAccountName: z.string().nullish(),
  }),
})
const Request = z.object({
  request: z.object({ uid: z.string(), namespace: z.string().optional(), object: z.unknown() }),
})
const Answer = z.object({
  response: z.object({ uid: z.string(), allowed: z.boolean(), patch: z.base64().optional() }),
})

const containersOf = (pod: unknown) => {
  const { spec } = Pod.parse(pod)
  return [...(spec.initContainers ?? []), ...spec.containers]
}
const valuesOf = (container: z.infer<typeof Container> | undefined, name: string) =>
  (container?.env ?? []).filter((entry) => entry.name === name).map((entry) => entry['value'])

/** Expects no other change of the pod than variables and the sidecar. The sidecar has the identity of the ServiceAccount. */
function expectInjected(object: unknown, namespace: string, patch: string): void {
  // applyPatch throws for a patch that RFC 6902 does not allow.
  const patched = applyPatch(object, JSON.parse(Buffer.from(patch, 'base64').toString()))
  const [kept, own] = [patched, object].map((pod) =>
    containersOf(pod)
      .filter(({ name }) => !/^wimds(?:-redirect)?$/.test(name))
      .map(({ env: _env, ...container }) => container),
  )
  expect(kept).toEqual(own)
  const [sidecar, ...others] = containersOf(patched).filter(({ name }) => name === 'wimds')
  expect(others).toEqual([])
  expect(sidecar?.image).toBe('wimds:test')
  const account = `${namespace}/${Pod.parse(object).spec.serviceAccountName || 'default'}`
  expect(valuesOf(sidecar, 'AZURE_TENANT_ID')).toEqual([tenantOf(account)])
  const client = clientOf(account)
  if (client !== undefined) expect(valuesOf(sidecar, 'AZURE_CLIENT_ID')).toEqual([client])
}

const seen = { injected: 0, refused: 0, malformed: 0 }
const lookUps = new Set<string>()

/** Reviews the pod and checks what is answered. */
async function expectSound(body: object): Promise<void> {
  const decision = await reviewPod(async (work) => work(body), {
    settings: settings({ injectByDefault: true }),
    lookUpServiceAccount: (namespace, name) => {
      const account = `${namespace}/${name}`
      lookUps.add(account)
      const client = clientOf(account)
      const annotations = {
        'azure.workload.identity/tenant-id': tenantOf(account),
        ...(client !== undefined && { 'azure.workload.identity/client-id': client }),
      }
      return Promise.resolve({ annotations })
    },
  }).catch((error: unknown) => {
    if (error instanceof MalformedReview) return undefined
    throw error
  })
  if (decision === undefined) {
    seen.malformed += 1
    return
  }
  expect((decision.message ?? '').length).toBeLessThan(6000)
  // Nothing that changes the order of other characters, or begins another line.
  expect(decision.message ?? '').not.toMatch(/[\n\u202e]/)
  const { response } = Answer.parse(decision.review)
  const { request } = Request.parse(body)
  expect(response.uid).toBe(request.uid)
  seen[response.allowed ? 'injected' : 'refused'] += 1
  if (response.patch === undefined) return
  expectInjected(request.object, request.namespace ?? '', response.patch)
}

const names = fc.oneof(
  { arbitrary: fc.constantFrom('default', 'orders', 'billing-v2'), weight: 4 },
  // Names with a meaning in a path, a URL or an object.
  fc.constantFrom(
    '',
    '.',
    '../../default',
    'a/b',
    'a?b',
    '__proto__',
    '\0',
    '\ud800',
    'x'.repeat(300),
  ),
)
const annotations = fc.dictionary(
  fc.constantFrom(
    ...['inject', 'injected', 'mode', 'port', 'prefetch', 'pass-through', 'memory-limit', ''].map(
      (name) => `wimds.io/${name}`,
    ),
    '__proto__',
    'wimds.io/a\u202eb\n',
  ),
  fc.oneof(
    fc.constantFrom('true', 'false', 'env', 'nft', '64169', '1e9', '/metadata/identity', 'a/b/c'),
    fc.string({ unit: 'binary', maxLength: 20 }),
  ),
  { maxKeys: 4, noNullPrototype: true },
)
const WHOSE = '66666666-6666-4666-8666-666666666666'
/** Only a ServiceAccount may have these. */
const CLAIMED = {
  'azure.workload.identity/client-id': WHOSE,
  'azure.workload.identity/tenant-id': WHOSE,
}
const VARIABLES = [
  { name: 'AZURE_CLIENT_ID', value: WHOSE },
  { name: 'AZURE_TENANT_ID', value: WHOSE },
  { name: 'AZURE_FEDERATED_TOKEN_FILE', value: '/var/run/secrets/wimds/token' },
  { name: 'AZURE_CLIENT_ID', valueFrom: { secretKeyRef: { name: 's', key: 'k' } } },
  { name: 'WIMDS_LISTEN', value: '0.0.0.0:64169' },
]
const containers = fc.array(
  fc.record(
    {
      name: fc.constantFrom(...Array<string>(9).fill('app'), 'wimds', 'azwi-proxy', '\ud800'),
      image: fc.constant('evil:1'),
      env: fc.oneof(
        fc.array(fc.constantFrom(...VARIABLES), { maxLength: 3 }),
        // The first variables are those that the webhook of AKS sets.
        fc.constant(VARIABLES.slice(0, 3)),
      ),
      ports: fc.constantFrom([], [{ containerPort: 64169 }], [{}], null, undefined),
    },
    { requiredKeys: ['name'] },
  ),
  { minLength: 1, maxLength: 2 },
)
/** Specs whose containers and volumes imitate injected ones. */
const hostileSpec = fc.record(
  {
    containers,
    initContainers: fc.constantFrom(null, [], [], [{ name: 'wimds', image: 'evil:1' }]),
    volumes: fc.constantFrom(null, [], [], [{ name: 'wimds-token', emptyDir: {} }]),
    serviceAccountName: names,
    hostNetwork: fc.constantFrom(true, false, false, false, null),
  },
  { requiredKeys: ['containers'] },
)
const reviews = fc
  .record(
    {
      uid: fc.string({ unit: 'binary', minLength: 1, maxLength: 40 }),
      namespace: names,
      object: fc.record({
        metadata: fc.record({ annotations: fc.oneof(annotations, fc.constantFrom(null, CLAIMED)) }),
        spec: fc.oneof(
          hostileSpec,
          pods.map((each) => each.spec),
        ),
      }),
    },
    { requiredKeys: ['uid', 'object'] },
  )
  .map(({ object, ...more }) => podReview(object, { namespace: undefined, ...more }))

test('injects the identity of the pod’s own ServiceAccount by a valid patch, or rejects the pod', async () => {
  await fc.assert(fc.asyncProperty(reviews, expectSound), fuzzRuns(300))
  expect(seen.injected).toBeGreaterThan(20)
  expect(seen.refused).toBeGreaterThan(20)
  const name = /^[a-z0-9-]{1,63}\/[a-z0-9][a-z0-9.-]{0,252}$/
  expect([...lookUps].filter((each) => !name.test(each))).toEqual([])
})

/** Removes or replaces one member of the value, at any depth: each turn selects one by its number. */
function corrupt(value: unknown, turns: readonly number[], other: unknown): unknown {
  const [turn, ...rest] = turns
  if (turn === undefined || typeof value !== 'object' || value === null) return other
  const keys = Object.keys(value)
  const key = keys[turn % Math.max(1, keys.length)]
  if (key === undefined) return other
  const copy: object = Array.isArray(value) ? [...value] : { ...value }
  Reflect.set(copy, key, corrupt(Reflect.get(value, key), rest, other))
  return copy
}

test('answers a review with a member that is missing or of another type', async () => {
  const turns = fc.array(fc.nat(30), { minLength: 1, maxLength: 8 })
  const others = fc.oneof(fc.constant(undefined), fc.jsonValue())
  await fc.assert(
    fc.asyncProperty(reviews, turns, others, async (body, path, other) =>
      expectSound(Object(corrupt(body, path, other))),
    ),
    fuzzRuns(150),
  )
  expect(seen.malformed).toBeGreaterThan(10)
})

const LONG = 'x'.repeat(1_000_000)
const many = <T>(create: (at: number) => T) => Array.from({ length: 10_000 }, (_, at) => create(at))
const PORTS = [{ containerPort: 64_169 }]

test.each<[string, object, object]>([
  ['unknown annotations', Object.fromEntries(many((at) => [`wimds.io/x${at}`, 'x'])), {}],
  ['an annotation of a megabyte', { 'wimds.io/mode': LONG }, {}],
  ['containers with a conflict', {}, { containers: many(() => ({ name: 'c', ports: PORTS })) }],
  ['the name of a container of a megabyte', {}, { containers: [{ name: LONG, ports: PORTS }] }],
  ['the name of a ServiceAccount of a megabyte', {}, { serviceAccountName: LONG }],
])('answers %s in few words', async (_, annotated, spec) => {
  const before = seen.refused
  const whole = { containers: [{ name: 'app' }], ...spec }
  await expectSound(podReview({ metadata: { annotations: annotated }, spec: whole }))
  expect(seen.refused).toBe(before + 1)
})
