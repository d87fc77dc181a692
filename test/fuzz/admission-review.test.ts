import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { Agent, request as httpsRequest } from 'node:https'
import { text } from 'node:stream/consumers'
import * as fc from 'fast-check'
import { afterAll, expect, test } from 'vitest'
import { z } from 'zod'
import { reviewPod } from '../../src/injection/webhook/admission.ts'
import { createReviewServer } from '../../src/injection/webhook/server.ts'
import { createCertificateAuthority } from '../../src/lib/x509.ts'
import { listening } from '../fixtures/listening.ts'
import { applyPatch, settings } from '../injection/injector/patched.ts'
import { corrupt, reviews } from './admission-reviews.ts'
import { fuzzRuns } from './mutations.ts'
import { podReview } from '../fixtures/pod-review.ts'

/** Each ServiceAccount has an identity of its own; the ServiceAccounts of one namespace name no client. */
function annotationsOf(namespace: string, name: string): Record<string, string> {
  return {
    'azure.workload.identity/tenant-id': guidOf(`tenant of ${namespace}/${name}`),
    ...(namespace !== 'billing-v2' && {
      'azure.workload.identity/client-id': guidOf(`client of ${namespace}/${name}`),
    }),
  }
}

function guidOf(name: string): string {
  const hex = createHash('sha256').update(name).digest('hex')
  return [0, 8, 12, 16, 20].map((at, index, all) => hex.slice(at, all[index + 1] ?? 32)).join('-')
}

const lookUps: string[] = []
const faults: unknown[] = []
let longestMessage = 0
const server = createReviewServer({
  reviews: {
    '/mutate': (read) =>
      reviewPod(read, {
        settings: settings({ injectByDefault: true }),
        lookUpServiceAccount: (namespace, name) => {
          lookUps.push(`${namespace}/${name}`)
          return Promise.resolve({ annotations: annotationsOf(namespace, name) })
        },
      }),
  },
  onReview: ({ message = '' }) => {
    longestMessage = Math.max(longestMessage, message.length)
  },
  log: {
    warn: (event, fields) => {
      if (event === 'webhook_error') faults.push(fields)
    },
  },
  draining: new AbortController().signal,
})
const authority = await createCertificateAuthority()
const { certPem, keyPem } = await authority.issue({ names: ['wimds.wimds.svc'] })
server.setSecureContext({ cert: certPem, key: keyPem, minVersion: 'TLSv1.3' })
const { port, [Symbol.asyncDispose]: stop } = await listening(server)
const agent = new Agent({ ca: authority.caPem, servername: 'wimds.wimds.svc', keepAlive: true })
afterAll(async () => {
  agent.destroy()
  await stop()
})

interface Answer {
  readonly status: number
  readonly size: number
  readonly body: unknown
}

async function answerTo(body: string | Buffer): Promise<Answer> {
  const options = { port, host: '127.0.0.1', agent, path: '/mutate', method: 'POST' }
  const sent = httpsRequest(options)
  sent.end(body)
  const [reply] = await once(sent, 'response')
  const answered = await text(reply)
  return { status: reply.statusCode, size: answered.length, body: JSON.parse(answered) }
}

/** Strict: a reply with any other member fails. */
const uid = z.string().min(1)
const words = z.string().min(1)
const ReviewAnswer = z.strictObject({
  apiVersion: z.literal('admission.k8s.io/v1'),
  kind: z.literal('AdmissionReview'),
  response: z.discriminatedUnion('allowed', [
    z.strictObject({
      uid,
      allowed: z.literal(true),
      patchType: z.literal('JSONPatch').optional(),
      patch: z.base64().optional(),
      warnings: z.array(words).optional(),
    }),
    z.strictObject({
      uid,
      allowed: z.literal(false),
      status: z.strictObject({ code: z.literal([422, 503]), message: words }),
    }),
  ]),
})
const Refusal = z.strictObject({ error: words })

/** Returns the response of the review; undefined for a 4xx. Throws for anything else. */
function responseIn({ status, body }: Answer) {
  if (status === 200) return ReviewAnswer.parse(body).response
  if (status < 400 || status > 499) throw new Error(`answered ${status}`)
  Refusal.parse(body)
  return undefined
}

interface Env {
  readonly name: string
  readonly value?: string
}

interface Container {
  readonly name: string
  readonly image?: string
  readonly env?: readonly Env[] | null
}

interface Pod {
  readonly spec: {
    readonly containers: readonly Container[]
    readonly initContainers?: readonly Container[] | null
    readonly serviceAccountName?: string | null
  }
}

const containersOf = ({ spec }: Pod) => [...(spec.initContainers ?? []), ...spec.containers]
const isOwn = ({ name }: Container) => !/^wimds(?:-redirect)?$/.test(name)
const valuesOf = ({ env }: Container, name: string) =>
  (env ?? []).filter((entry) => entry.name === name).map(({ value }) => value)

const withoutEnv = ({ env: _env, ...container }: Container) => container

/** Expects the patched pod to be the same but for the sidecar, which has the identity of the ServiceAccount. */
function expectInjected(request: { namespace?: string; object: Pod }, patch: string): void {
  const { object, namespace = '' } = request
  const operations = JSON.parse(Buffer.from(patch, 'base64').toString())
  // Throws for a patch that RFC 6902 does not allow.
  const patched: Pod = JSON.parse(JSON.stringify(applyPatch(object, operations)))
  const account = object.spec.serviceAccountName
  expect(patched.spec.serviceAccountName).toBe(account)
  const own = containersOf(object).filter(isOwn)
  const kept = containersOf(patched).filter(isOwn)
  expect(kept.map(withoutEnv)).toEqual(own.map(withoutEnv))
  for (const [index, { env }] of own.entries()) {
    const names = (env ?? []).map(({ name }) => name)
    expect((kept[index]?.env ?? []).slice(0, names.length).map(({ name }) => name)).toEqual(names)
  }

  const sidecars = containersOf(patched).filter(({ name }) => name === 'wimds')
  expect(sidecars.map(({ image }) => image)).toEqual(['wimds:test'])
  const annotations = annotationsOf(namespace, account || 'default')
  for (const sidecar of sidecars) {
    expect(new Set(valuesOf(sidecar, 'AZURE_TENANT_ID'))).toEqual(
      new Set([annotations['azure.workload.identity/tenant-id']]),
    )
    const clientId = annotations['azure.workload.identity/client-id']
    const said = containersOf(object).flatMap((each) => valuesOf(each, 'AZURE_CLIENT_ID'))
    for (const value of valuesOf(sidecar, 'AZURE_CLIENT_ID')) {
      expect(clientId === undefined ? said : [clientId]).toContain(value)
    }
    expect(valuesOf(sidecar, 'AZURE_CLIENT_ID').length).toBeGreaterThanOrEqual(clientId ? 1 : 0)
  }
}

const seen = { injected: 0, refused: 0, malformed: 0 }

/** Sends the review and checks every property of its reply. */
async function expectSound(body: string): Promise<void> {
  const answer = await answerTo(body)
  const response = responseIn(answer)
  expect(answer.size).toBeLessThan(20_000)
  if (response === undefined) {
    seen.malformed += 1
    return
  }
  const { request } = JSON.parse(body)
  expect(response.uid).toBe(request.uid.toWellFormed())
  seen[response.allowed ? 'injected' : 'refused'] += 1
  if (response.allowed && response.patch !== undefined) expectInjected(request, response.patch)
}

test('injects the identity of the pod’s own ServiceAccount by a valid patch, or rejects the pod', async () => {
  await fc.assert(
    fc.asyncProperty(reviews, async (body) => expectSound(JSON.stringify(body))),
    fuzzRuns(150),
  )
  expect(seen.injected).toBeGreaterThan(20)
  expect(seen.refused).toBeGreaterThan(20)
})

test('answers a review with a member that is missing or of another type', async () => {
  await fc.assert(
    fc.asyncProperty(
      reviews.chain((body) => corrupt(body)),
      async (body) => expectSound(JSON.stringify(body) ?? 'undefined'),
    ),
    fuzzRuns(150),
  )
  expect(seen.malformed).toBeGreaterThan(10)
})

const VALID = podReview({
  metadata: { annotations: { 'wimds.io/inject': 'true' } },
  spec: {
    serviceAccountName: 'orders',
    containers: [{ name: 'app', image: 'app:1', env: [{ name: 'A', value: 'b' }] }],
  },
})
/** Returns the review with these members of its pod. */
const withPod = (more: { metadata?: unknown; spec?: object }) => {
  const { request } = VALID
  const { metadata, spec } = request.object
  const object = { metadata: more.metadata ?? metadata, spec: { ...spec, ...more.spec } }
  return JSON.stringify({ ...VALID, request: { ...request, object } })
}
/** Returns JSON with so many values in each other in place of `"HERE"`. */
const nest = (json: string, open: string, close: string, depth: number) =>
  json.replace('"HERE"', `${open.repeat(depth)}1${close.repeat(depth)}`)
const LONG = 'x'.repeat(1_000_000)
const inject = (annotations: Record<string, string>) => withPod({ metadata: { annotations } })
const PORTS = [{ containerPort: 64169 }]
const many = (container: object) => Array.from({ length: 20_000 }, () => container)
const UNKNOWN = Array.from({ length: 10_000 }, (_, at) => [`wimds.io/x${at}`, 'x'])
const INJECTED = { annotations: { 'wimds.io/injected': '{"mode":"loopback"}' } }
const SIDECAR = { name: 'wimds', resources: { limits: 'HERE' } }

test.each<[string, string | Buffer]>([
  ['a million lists in each other', nest('"HERE"', '[', ']', 1_000_000)],
  [
    'resources that are as deep',
    nest(withPod({ spec: { containers: [SIDECAR] }, metadata: INJECTED }), '{"a":', '}', 400_000),
  ],
  ['ten thousand unknown annotations', inject(Object.fromEntries(UNKNOWN))],
  ['an annotation of a megabyte', inject({ 'wimds.io/mode': LONG })],
  [
    'twenty thousand containers',
    withPod({ spec: { containers: many({ name: 'c', ports: PORTS }) } }),
  ],
  [
    'a container whose name is a megabyte',
    withPod({ spec: { containers: [{ name: LONG, ports: PORTS }] } }),
  ],
  ['a ServiceAccount whose name is a megabyte', withPod({ spec: { serviceAccountName: LONG } })],
  ['four megabytes', ' '.repeat(4_000_000)],
  ['no UTF-8', Buffer.from(JSON.stringify(VALID).replace('orders', '\xff\xfe'), 'latin1')],
  ['a mark of the byte order', `\ufeff${JSON.stringify(VALID)}`],
])('answers %s in few words', async (_, body) => {
  const answer = await answerTo(body)
  expect(responseIn(answer)?.uid ?? VALID.request.uid).toBe(VALID.request.uid)
  expect(answer.size).toBeLessThan(20_000)
})

test('looks up valid names only, reports in few words and no error, and still serves', async () => {
  expect(lookUps.length).toBeGreaterThan(100)
  const name = /^[a-z0-9-]{1,63}\/[a-z0-9][a-z0-9.-]{0,252}$/
  expect(lookUps.filter((each) => !name.test(each))).toEqual([])
  expect(longestMessage).toBeLessThan(10_000)
  expect(faults).toEqual([])
  const response = responseIn(await answerTo(JSON.stringify(VALID)))
  expect(response).toMatchObject({ allowed: true, patchType: 'JSONPatch' })
})
