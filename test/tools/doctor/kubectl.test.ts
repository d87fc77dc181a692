import { describe, expect, test } from 'vitest'
import * as z from 'zod/mini'
import { createKubectl, getNamed, list } from '../../../src/tools/doctor/kubectl.ts'
import { TIMED_OUT } from '../../../src/tools/doctor/run-kubectl.ts'
import { fakeKubectl, type KubectlAnswer } from '../../fixtures/kubectl.ts'
import { FAILURES, FORBIDDEN_KIND, NO_SUCH_KIND } from '../../fixtures/kubectl-failures.ts'
import { captureIo } from '../capture.ts'

test('passes arguments and input on, and returns what it printed', async () => {
  using fake = fakeKubectl([{ call: 'create', stdout: 'pod/x', stderr: 'w', code: 3 }])
  const kubectl = createKubectl({ io: captureIo(fake.env), context: 'aks' })
  expect(await kubectl(['create', '--filename=-'], '{"a":1}')).toMatchObject({
    code: 3,
    stdout: 'pod/x',
    stderr: 'w',
  })
  expect(await fake.calls()).toEqual(['--context=aks create --filename=-'])
  expect(await fake.inputOf('create')).toBe('{"a":1}')
})

const Named = z.object({ metadata: z.object({ name: z.string() }) })
const ORDERS = { metadata: { name: 'orders' } }

/** Asks for objects by name. */
async function ask(answer: Omit<KubectlAnswer, 'call'>) {
  using fake = fakeKubectl([{ call: 'get', ...answer }])
  return await getNamed(
    createKubectl({ io: captureIo(fake.env) }),
    Named,
    'deployments,jobs',
    'orders',
  )
}

describe('asked for an object, kubectl', () => {
  test.each(FAILURES)('has failed with %s', async (_, stderr, code, problem) => {
    expect(await ask({ code: 1, stderr })).toMatchObject({
      kind: 'failed',
      fault: { code, problem: expect.stringMatching(problem), fix: expect.any(String) },
    })
  })

  test('has failed if there is none, and if it does not end', async () => {
    const io = captureIo({ PATH: '/nowhere' })
    expect(await getNamed(createKubectl({ io }), Named, 'jobs', 'orders')).toMatchObject({
      kind: 'failed',
      fault: { code: 'kubectl_missing' },
    })
    using fake = fakeKubectl([{ call: 'get', runsOn: true }])
    const kubectl = createKubectl({ io: captureIo(fake.env) }, 100)
    expect(await getNamed(kubectl, Named, 'jobs', 'orders')).toMatchObject({
      kind: 'failed',
      fault: { code: 'login_failed', problem: `kubectl get jobs failed: ${TIMED_OUT}` },
    })
  })

  test.each([
    ['one', ORDERS, {}],
    ['one among those of several kinds', { items: [ORDERS] }, {}],
    [
      'one, though another kind is forbidden',
      { items: [ORDERS] },
      { code: 1, stderr: FORBIDDEN_KIND },
    ],
  ])('has found %s', async (_, document, failure) => {
    const answer = await ask({ stdout: JSON.stringify(document), ...failure })
    expect(answer).toEqual({ kind: 'found', items: [ORDERS] })
  })

  test.each<[string, Omit<KubectlAnswer, 'call'>, object]>([
    ['nothing', {}, { kind: 'not_found' }],
    ['an empty list', { stdout: '{"items":[]}' }, { kind: 'not_found' }],
    [
      'an error after the prompt of an exec plugin',
      { code: 1, stderr: 'To sign in, use a web browser\nError from server (NotFound): no\n' },
      { kind: 'not_found' },
    ],
    [
      'that there is no such kind',
      { code: 1, stderr: NO_SUCH_KIND },
      { kind: 'not_found', reason: `the server doesn't have a resource type "rollout"` },
    ],
  ])('has not found it with %s', async (_, answer, expected) => {
    expect(await ask(answer)).toEqual(expected)
  })

  test('has failed with something else than an object, and with a kind of which it may not say more', async () => {
    expect(await ask({ stdout: '[1]' })).toMatchObject({ kind: 'failed' })
    expect(await ask({ stdout: '', code: 1, stderr: FORBIDDEN_KIND })).toMatchObject({
      kind: 'failed',
      fault: { code: 'permission_missing' },
    })
  })
})

test('a list that is forbidden is no empty list', async () => {
  const stderr = 'Error from server (Forbidden): pods is forbidden: no\n'
  using fake = fakeKubectl([{ call: 'get', code: 1, stdout: '{"items":[]}', stderr }])
  const answer = await list(createKubectl({ io: captureIo(fake.env) }), Named, 'pods')
  expect(answer).toMatchObject({ kind: 'failed', reason: 'pods is forbidden: no' })
})

test.each([
  ['Warning: x\nerror: no context\n', 'no context'],
  ['', 'no reason given'],
])('finds the reason in %j', async (stderr, reason) => {
  using fake = fakeKubectl([{ call: 'get', code: 1, stderr }])
  expect(await createKubectl({ io: captureIo(fake.env) })(['get'])).toMatchObject({ reason })
})
