/** AdmissionReviews as the API server sends them, and the replies. */
import { describe, expect, test } from 'vitest'
import { type AdmissionOptions, reviewPod } from '../../../src/injection/webhook/admission.ts'
import {
  MalformedReview,
  Overloaded,
  type ReadReview,
} from '../../../src/injection/webhook/review-queue.ts'
import { applyPatch, CLIENT, SERVICE_ACCOUNT, settings, TENANT } from '../injector/patched.ts'
import { findPiece } from '../../contract/secrets.ts'
import { podReview, REVIEW_UID } from '../../fixtures/pod-review.ts'

const POD = {
  metadata: { annotations: { 'wimds.io/inject': 'true' } },
  spec: { serviceAccountName: 'orders', containers: [{ name: 'app', image: 'app:1' }] },
}

const request = (more: object = {}) => podReview(POD, more)

const withAccount = (serviceAccountName: string) => ({
  ...POD,
  spec: { ...POD.spec, serviceAccountName },
})

/** Options under which pods opt in. */
function options(more: Partial<AdmissionOptions> = {}): AdmissionOptions {
  return {
    settings: settings({ injectByDefault: false }),
    lookUpServiceAccount: () => Promise.resolve({ annotations: SERVICE_ACCOUNT }),
    ...more,
  }
}

const review = (body: unknown, more: Partial<AdmissionOptions> = {}) => {
  const read: ReadReview = async (work) => work(body)
  return reviewPod(read, options(more))
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
  const { review: answered, outcome } = await review(body, more)
  const { response, ...envelope }: { response: Response } = JSON.parse(JSON.stringify(answered))
  return { outcome, response, envelope }
}

const patchIn = ({ patch = '' }: Response) => JSON.parse(Buffer.from(patch, 'base64').toString())

test('admits a pod that opts in with a patch that injects it, under the uid of the request', async () => {
  const { outcome, response, envelope } = await responseTo(request())
  expect(outcome).toBe('injected')
  expect(envelope).toEqual({ apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview' })
  expect(response).toMatchObject({ uid: REVIEW_UID, allowed: true, patchType: 'JSONPatch' })
  const patched = JSON.stringify(applyPatch(POD, patchIn(response)))
  expect(patched).toContain(CLIENT)
  expect(patched).toContain(TENANT)
})

test('keeps a limit that LimitRanger has set in an injected container before the second call', async () => {
  const first = await responseTo(request())
  const record =
    'LimitRanger plugin set: cpu limit for init container wimds; cpu limit for init container wimds-redirect'
  const text = JSON.stringify(applyPatch(POD, patchIn(first.response)))
    .replaceAll('"limits":{', '"limits":{"cpu":"500m",')
    .replace('"annotations":{', `"annotations":{"kubernetes.io/limit-ranger":"${record}",`)
  const object: unknown = JSON.parse(text)
  const { response } = await responseTo(request({ object }))
  expect(response).toEqual({ uid: REVIEW_UID, allowed: true })
})

test.each([
  ['a pod that does not opt in', { object: { ...POD, metadata: {} } }],
  ['a Pod of another group', { kind: { group: 'metrics.k8s.io', version: 'v1', kind: 'Pod' } }],
  ['another kind', { kind: { group: 'apps', version: 'v1', kind: 'Deployment' } }],
])('admits %s unchanged', async (_, more) => {
  const { outcome, response } = await responseTo(request(more))
  expect(outcome).toBe('skipped')
  expect(response).toEqual({ uid: REVIEW_UID, allowed: true })
})

test('rejects a pod with every reason', async () => {
  const object = { ...POD, spec: { ...POD.spec, hostNetwork: true, os: { name: 'windows' } } }
  const { outcome, response } = await responseTo(request({ object }))
  expect(outcome).toBe('rejected')
  expect(response.allowed).toBe(false)
  expect(response.status?.code).toBe(422)
  expect(response.status?.message).toMatch(/Fix: remove hostNetwork, .*; .*runs on Windows/)
})

test('says how to leave a pod out where the namespace asks for injection', async () => {
  const object = { spec: { ...POD.spec, hostNetwork: true } }
  const { response } = await responseTo(request({ object }), {
    settings: settings({ injectByDefault: true }),
  })
  expect(response.status?.message).toMatch(
    /as the label wimds.io\/inject of the namespace asks \(the annotation wimds.io\/inject: "false" leaves a pod out\): .*remove hostNetwork/,
  )
})

test('a rejection and a warning have no character that changes the order of others', async () => {
  const mode = {
    ...POD,
    metadata: { annotations: { ...POD.metadata.annotations, 'wimds.io/mode': 'a\u202eb' } },
  }
  const rejected = await responseTo(request({ object: mode }))
  expect(rejected.response.status?.message).toContain('a?b')
  const unknown = {
    ...POD,
    metadata: { annotations: { ...POD.metadata.annotations, 'wimds.io/a\u202eb': '' } },
  }
  expect(JSON.stringify((await responseTo(request({ object: unknown }))).response)).toContain('a?b')
})

test.each(['a', 'aa'])('a long rejection is not cut within a character: %s', async (start) => {
  const annotations = { ...POD.metadata.annotations, [`wimds.io/${start}${'💥'.repeat(400)}`]: '' }
  const { response } = await responseTo(request({ object: { ...POD, metadata: { annotations } } }))
  expect(response.status?.message).toContain('💥'.repeat(200))
  expect(response.status?.message.isWellFormed()).toBe(true)
})

const JWT = `eyJhbGciOiJSUzI1NiJ9.${'eyJzdWIiOiJhIn0'.repeat(9)}.c2ln`

test.each([
  [{ name: 'orders-0', generateName: 'orders-' }, 'orders-0'],
  [{ generateName: 'orders-7d9f8b6c5d-' }, 'orders-7d9f8b6c5d-'],
  [{}, ''],
  [{ name: 7 }, ''],
  [{ name: JWT }, '[redacted]'],
  [{ name: 'a, '.repeat(200) }, 'a, '.repeat(200).slice(0, 253)],
])(
  'a rejected pod has its name in the log, of at most 253 characters: case %#',
  async (metadata, name) => {
    const object = { ...POD, metadata: { ...POD.metadata, ...metadata } }
    const { subject } = await review(request({ object }), { lookUpServiceAccount: failLookUp })
    expect(subject).toEqual({ namespace: 'shop', pod: name })
  },
)

const findNothing = () => Promise.resolve({ problem: 'does not exist. Fix: create it' })
const failLookUp = () => Promise.reject(new Error('the API server answered 500'))
const returnAnnotations = (annotations: Record<string, string>) => () =>
  Promise.resolve({ annotations })

async function skippedResponse(annotations: Record<string, string>) {
  const { outcome, response } = await responseTo(
    request({ object: { ...POD, metadata: { annotations } } }),
  )
  expect(outcome).toBe('skipped')
  return response
}

describe('a pod that is not injected, and has annotations of wimds,', () => {
  test('is admitted with a warning that they have no effect', async () => {
    expect(
      await skippedResponse({ 'wimds.io/mode': 'env', 'wimds.io/port': '8001', team: 'shop' }),
    ).toEqual({
      uid: REVIEW_UID,
      allowed: true,
      warnings: [
        'wimds: the pod is not injected, so its annotations have no effect: wimds.io/mode, wimds.io/port. Fix: set wimds.io/inject: "true"',
      ],
    })
  })

  test.each([
    ['opted out', { 'wimds.io/inject': 'false', 'wimds.io/mode': 'env' }],
    [
      'was injected by `wimds inject`',
      { 'wimds.io/injected': '{"mode":"env"}', 'wimds.io/mode': 'env' },
    ],
  ])('is admitted without a warning if it %s', async (_, annotations) => {
    expect(await skippedResponse(annotations)).toEqual({ uid: REVIEW_UID, allowed: true })
  })
})

describe('the ServiceAccount', () => {
  const spec = (fields: object) => ({
    ...POD,
    spec: { containers: POD.spec.containers, ...fields },
  })

  test.each([
    ['orders', POD],
    ['default', spec({})],
    ['older', spec({ serviceAccountName: '', serviceAccount: 'older' })],
    ['newer', spec({ serviceAccountName: 'newer', serviceAccount: 'older' })],
  ])('is %s for the pod %j', async (expected, object) => {
    const lookUps: string[][] = []
    const lookUpServiceAccount = (...place: string[]) => {
      lookUps.push(place)
      return Promise.resolve({ annotations: SERVICE_ACCOUNT })
    }
    await responseTo(request({ object }), { lookUpServiceAccount })
    expect(lookUps).toEqual([['shop', expected]])
  })

  test.each(['..', 'Orders'])('is not looked up by the invalid name %j', async (account) => {
    const { outcome, response } = await responseTo(request({ object: withAccount(account) }), {
      lookUpServiceAccount: failLookUp,
      defaultTenantId: TENANT,
    })
    expect(outcome).toBe('rejected')
    expect(response.status?.message).toContain('has no valid name')
  })

  test('gets the default tenant if it names none', async () => {
    const defaultTenantId = '99999999-9999-4999-8999-999999999999'
    const withoutTenant = returnAnnotations({ 'azure.workload.identity/client-id': CLIENT })
    const given = await responseTo(request(), {
      lookUpServiceAccount: withoutTenant,
      defaultTenantId,
    })
    expect(JSON.stringify(patchIn(given.response))).toContain(defaultTenantId)
    const kept = await responseTo(request(), { defaultTenantId })
    expect(JSON.stringify(patchIn(kept.response))).not.toContain(defaultTenantId)
  })

  test('rejects the pod if it does not exist, even with a default tenant', async () => {
    const more = { lookUpServiceAccount: findNothing, defaultTenantId: TENANT }
    const { outcome, response } = await responseTo(request(), more)
    expect(outcome).toBe('rejected')
    expect(response.status?.message).toContain('the ServiceAccount shop/orders does not exist')
  })

  test.each([
    ['error', new Error('the API server answered 500')],
    ['overloaded', new Overloaded('too many ServiceAccounts to look up')],
  ])('rejects the pod for now with outcome %s if it cannot be read', async (expected, error) => {
    const lookUpServiceAccount = () => Promise.reject(error)
    const { outcome, response } = await responseTo(request(), { lookUpServiceAccount })
    expect(outcome).toBe(expected)
    expect(response).toMatchObject({ uid: REVIEW_UID, allowed: false, status: { code: 503 } })
    expect(response.status?.message).toContain('shop/orders')
  })

  test('is not read with an error that shows the pod’s author a credential', async () => {
    const lookUpServiceAccount = () => Promise.reject(new Error(`401 for Bearer ${JWT}`))
    const { message, review: body } = await review(request(), { lookUpServiceAccount })
    expect(message).toContain('401 for Bearer [redacted]')
    expect(findPiece(JWT, JSON.stringify(body))).toBeUndefined()
  })
})

test.each([
  ['nothing', undefined],
  ['an older version', { ...request(), apiVersion: 'admission.k8s.io/v1beta1' }],
  ['a review without a request', { apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview' }],
  ['a request without a uid', request({ uid: '' })],
])('rejects %s as malformed', async (_, body) => {
  await expect(review(body)).rejects.toBeInstanceOf(MalformedReview)
})
