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

test('admits a pod that opts in, with a patch that injects it and the uid of the request', async () => {
  const lookUps: string[][] = []
  const { outcome, response, envelope } = await responseTo(request(), {
    lookUpServiceAccount: (...place) => {
      lookUps.push(place)
      return Promise.resolve({ annotations: SERVICE_ACCOUNT })
    },
  })
  expect(lookUps).toEqual([['shop', 'orders']])
  expect(outcome).toBe('injected')
  expect(envelope).toEqual({ apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview' })
  expect(response).toMatchObject({ uid: REVIEW_UID, allowed: true, patchType: 'JSONPatch' })
  const patched = JSON.stringify(applyPatch(POD, patchIn(response)))
  expect(patched).toContain(CLIENT)
  expect(patched).toContain(TENANT)
})

test('admits a pod that another version has injected before this call', async () => {
  const initContainers = [{ name: 'wimds', image: 'wimds:old' }]
  const metadata = { annotations: { ...POD.metadata.annotations, 'wimds.io/injected': 'old' } }
  const object = { metadata, spec: { ...POD.spec, initContainers } }
  const { outcome, response } = await responseTo(request({ object }))
  expect(outcome).toBe('skipped')
  const warnings = [expect.stringMatching(/^wimds: the pod has a container wimds that/)]
  expect(response).toEqual({ uid: REVIEW_UID, allowed: true, warnings })
})

test.each([
  ['a Pod of another group', { kind: { group: 'metrics.k8s.io', version: 'v1', kind: 'Pod' } }],
  ['another kind', { kind: { group: 'apps', version: 'v1', kind: 'Deployment' } }],
  ['another operation', { operation: 'UPDATE' }],
  [
    'a Pod of wimds inject',
    {
      object: {
        ...POD,
        metadata: { annotations: { 'wimds.io/injected': 'old', 'wimds.io/mode': 'env' } },
      },
    },
  ],
])('admits %s unchanged', async (_, more) => {
  const { outcome, response } = await responseTo(request(more))
  expect(outcome).toBe('skipped')
  expect(response).toEqual({ uid: REVIEW_UID, allowed: true })
})

test('rejects a pod with every reason, and says how to opt out if the label of its namespace requests injection', async () => {
  const object = { spec: { ...POD.spec, hostNetwork: true, os: { name: 'windows' } } }
  const { outcome, response } = await responseTo(request({ object }), {
    settings: settings({ injectByDefault: true }),
  })
  expect(outcome).toBe('rejected')
  expect(response).toMatchObject({ allowed: false, status: { code: 422 } })
  expect(response.status?.message).toMatch(
    /label wimds.io\/inject of the namespace .*"false".*: .*remove hostNetwork, .*; .*runs on Windows/,
  )
})

const JWT = `eyJhbGciOiJSUzI1NiJ9.${'eyJzdWIiOiJhIn0'.repeat(9)}.c2ln`

test.each([
  [{ generateName: 'orders-7d9f8b6c5d-' }, 'orders-7d9f8b6c5d-'],
  [{ name: JWT }, '[redacted]'],
  [{ name: 'a, '.repeat(200) }, 'a, '.repeat(200).slice(0, 253)],
])('names the pod in the log in at most 253 characters: case %#', async (metadata, name) => {
  const object = { ...POD, metadata: { ...POD.metadata, ...metadata } }
  const { subject } = await review(request({ object }), { lookUpServiceAccount: failLookUp })
  expect(subject).toEqual({ namespace: 'shop', pod: name })
})

const findNothing = () => Promise.resolve({ problem: 'does not exist. Fix: create it' })
const failLookUp = () => Promise.reject(new Error('the API server answered 500'))
const returnAnnotations = (annotations: Record<string, string>) => () =>
  Promise.resolve({ annotations })

describe('the ServiceAccount', () => {
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
    ['error', new Error(`401 for Bearer ${JWT}`)],
    ['overloaded', new Overloaded('too many ServiceAccounts to look up')],
  ])(
    'rejects the pod with 503 and outcome %s if it cannot be read, and shows no credential',
    async (expected, error) => {
      const lookUpServiceAccount = () => Promise.reject(error)
      const { outcome, response } = await responseTo(request(), { lookUpServiceAccount })
      expect(outcome).toBe(expected)
      expect(response).toMatchObject({ uid: REVIEW_UID, allowed: false, status: { code: 503 } })
      expect(response.status?.message).toContain('shop/orders')
      expect(findPiece(JWT, JSON.stringify(response))).toBeUndefined()
    },
  )
})

test.each([
  ['an older version', { ...request(), apiVersion: 'admission.k8s.io/v1beta1' }],
  ['a request without a uid', request({ uid: '' })],
])('rejects %s as malformed', async (_, body) => {
  await expect(review(body)).rejects.toBeInstanceOf(MalformedReview)
})
