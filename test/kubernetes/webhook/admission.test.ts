/** AdmissionReviews as the API server sends them, and what it is answered. */
import { describe, expect, test } from 'vitest'
import {
  MalformedReview,
  review,
  type AdmissionOptions,
} from '../../../src/kubernetes/webhook/admission.ts'
import { applyPatch, CLIENT, SERVICE_ACCOUNT, settings, TENANT } from '../injector/patched.ts'

const UID = '705ab4f5-6393-11e8-b7cc-42010a800002'
const POD = {
  metadata: { annotations: { 'wimds.io/inject': 'true' } },
  spec: { serviceAccountName: 'orders', containers: [{ name: 'app', image: 'app:1' }] },
}

const request = (more: object = {}) => ({
  apiVersion: 'admission.k8s.io/v1',
  kind: 'AdmissionReview',
  request: {
    uid: UID,
    kind: { group: '', version: 'v1', kind: 'Pod' },
    operation: 'CREATE',
    namespace: 'shop',
    object: POD,
    ...more,
  },
})

const withAccount = (serviceAccountName: string) => ({
  ...POD,
  spec: { ...POD.spec, serviceAccountName },
})

/** Options of a webhook that injects the pods that ask. */
function options(more: Partial<AdmissionOptions> = {}): AdmissionOptions {
  return {
    settings: settings({ injectByDefault: false }),
    serviceAccount: () => Promise.resolve(SERVICE_ACCOUNT),
    ...more,
  }
}

interface Response {
  readonly uid: string
  readonly allowed: boolean
  readonly patchType?: string
  readonly patch?: string
  readonly warnings?: readonly string[]
  readonly status?: { readonly code: number; readonly message: string }
}

async function responseTo(body: unknown, more: Partial<AdmissionOptions> = {}) {
  const { review: answered, outcome } = await review(body, options(more))
  const { response, ...envelope }: { response: Response } = JSON.parse(JSON.stringify(answered))
  return { outcome, response, envelope }
}

const patchIn = ({ patch = '' }: Response) => JSON.parse(Buffer.from(patch, 'base64').toString())

test('a pod that asks gets a patch that injects it, under the request’s uid', async () => {
  const { outcome, response, envelope } = await responseTo(request())
  expect(outcome).toBe('injected')
  expect(envelope).toEqual({ apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview' })
  expect(response).toMatchObject({ uid: UID, allowed: true, patchType: 'JSONPatch' })
  const patched = JSON.stringify(applyPatch(POD, patchIn(response)))
  expect(patched).toContain(CLIENT)
  expect(patched).toContain(TENANT)
})

test('a pod that was injected already is let in without a patch', async () => {
  const first = await responseTo(request())
  const object = applyPatch(POD, patchIn(first.response))
  const { outcome, response } = await responseTo(request({ object }))
  expect(outcome).toBe('injected')
  expect(response).toEqual({ uid: UID, allowed: true })
})

test.each([
  ['a pod that does not ask', { object: { ...POD, metadata: {} } }],
  ['another kind', { kind: { group: 'apps', version: 'v1', kind: 'Deployment' } }],
  ['an update', { operation: 'UPDATE' }],
])('%s is let in as it is', async (_, more) => {
  const { outcome, response } = await responseTo(request(more))
  expect(outcome).toBe('skipped')
  expect(response).toEqual({ uid: UID, allowed: true })
})

test('a pod that cannot be injected is refused with every reason', async () => {
  const object = { ...POD, spec: { ...POD.spec, hostNetwork: true, os: { name: 'windows' } } }
  const { outcome, response } = await responseTo(request({ object }))
  expect(outcome).toBe('rejected')
  expect(response.allowed).toBe(false)
  expect(response.status?.code).toBe(422)
  expect(response.status?.message).toMatch(/Fix: remove hostNetwork; .*runs on Windows/)
})

describe('what the log is to call a pod that is not let in', () => {
  const JWT = `eyJhbGciOiJSUzI1NiJ9.${'eyJzdWIiOiJhIn0'.repeat(9)}.c2ln`
  const LONG = `orders-${'a'.repeat(300)}`
  const DEEP = 'orders-of-the-shop-in-production-by-the-deployment-7d9f8b6c5d-x2x4z'
  test.each([
    ['its name', { name: 'orders-0', generateName: 'orders-' }, 'orders-0'],
    ['what its name will begin with', { generateName: 'orders-7d9f8b6c5d-' }, 'orders-7d9f8b6c5d-'],
    ['a long name, whole', { name: DEEP }, DEEP],
    ['nothing, where it has no name', {}, ''],
    ['nothing, where its name is none', { name: 7 }, ''],
    ['nothing of a credential', { name: JWT }, '[redacted]'],
    ['no more than a name can have', { name: 'a, '.repeat(200) }, 'a, '.repeat(200).slice(0, 253)],
    ['nothing of a word without end', { name: LONG }, '[redacted]'],
  ])('is %s', async (_, metadata, pod) => {
    const object = { ...POD, metadata: { ...POD.metadata, ...metadata }, spec: {} }
    const { subject, outcome } = await review(request({ object }), options())
    expect({ outcome, subject }).toEqual({
      outcome: 'rejected',
      subject: { namespace: 'shop', pod },
    })
  })

  test('is told, too, where its ServiceAccount cannot be read', async () => {
    const object = { ...POD, metadata: { ...POD.metadata, name: 'orders-0' } }
    const reviewed = await review(request({ object }), options({ serviceAccount: unreadable }))
    expect(reviewed.subject).toEqual({ namespace: 'shop', pod: 'orders-0' })
  })
})

const withoutClient = () => Promise.resolve({ 'azure.workload.identity/tenant-id': TENANT })
const unreadable = () => Promise.reject(new Error('the API server answered 500'))

test('what is most likely not meant is a warning', async () => {
  const { response } = await responseTo(request(), { serviceAccount: withoutClient })
  expect(response.allowed).toBe(true)
  expect(response.warnings?.[0]).toMatch(/^wimds: no client id/)
})

describe('the ServiceAccount', () => {
  test.each([
    ['the pod’s own', POD, 'orders'],
    [
      'default, where the pod names none',
      { ...POD, spec: { containers: POD.spec.containers } },
      'default',
    ],
    ['default, where its name is empty', withAccount(''), 'default'],
    [
      'the one of the older field, where its name is empty',
      { ...POD, spec: { ...POD.spec, serviceAccountName: '', serviceAccount: 'older' } },
      'older',
    ],
  ])('asked for is %s', async (_, object, expected) => {
    const asked: string[][] = []
    const serviceAccount = (...place: string[]) => {
      asked.push(place)
      return Promise.resolve(SERVICE_ACCOUNT)
    }
    await responseTo(request({ object }), { serviceAccount })
    expect(asked).toEqual([['shop', expected]])
  })

  test.each(['..', '.', 'a/b', 'Orders', 'a'.repeat(254)])(
    'is not looked for by what is no name, such as %j',
    async (account) => {
      const { outcome, response } = await responseTo(request({ object: withAccount(account) }), {
        serviceAccount: unreadable,
        defaultTenantId: TENANT,
      })
      expect(outcome).toBe('rejected')
      expect(response.status?.message).toContain('spec.serviceAccountName is not the name')
    },
  )

  test('that names no tenant gets the default one, and any other keeps its own', async () => {
    const defaultTenantId = '99999999-9999-4999-8999-999999999999'
    const without = { 'azure.workload.identity/client-id': CLIENT }
    const serviceAccount = () => Promise.resolve(without)
    const given = await responseTo(request(), { serviceAccount, defaultTenantId })
    expect(JSON.stringify(patchIn(given.response))).toContain(defaultTenantId)
    const kept = await responseTo(request(), { defaultTenantId })
    expect(JSON.stringify(patchIn(kept.response))).not.toContain(defaultTenantId)
  })

  test('that cannot be read refuses the pod for now, since it would start without its identity', async () => {
    const { outcome, response } = await responseTo(request(), { serviceAccount: unreadable })
    expect(outcome).toBe('error')
    expect(response).toMatchObject({ uid: UID, allowed: false, status: { code: 503 } })
    expect(response.status?.message).toContain('shop/orders')
  })
})

test.each([
  ['nothing', undefined],
  ['an older version', { ...request(), apiVersion: 'admission.k8s.io/v1beta1' }],
  ['a review without a request', { apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview' }],
  ['a request without a uid', request({ uid: '' })],
])('%s is malformed', async (_, body) => {
  await expect(review(body, options())).rejects.toBeInstanceOf(MalformedReview)
})
