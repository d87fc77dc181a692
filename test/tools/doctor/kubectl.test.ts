import { describe, expect, test } from 'vitest'
import * as z from 'zod/mini'
import { catchEnd } from '../../../src/tools/doctor/findings.ts'
import { createKubectl, getNamed, list } from '../../../src/tools/doctor/kubectl.ts'
import { TIMED_OUT } from '../../../src/tools/doctor/run-kubectl.ts'
import { fakeKubectl, type KubectlAnswer } from '../../fixtures/kubectl.ts'
import { FAILURES, NO_SUCH_KIND } from '../../fixtures/kubectl-failures.ts'
import { captureIo } from '../capture.ts'

test('passes arguments and input to kubectl, and keeps what kubectl printed before it failed', async () => {
  using fake = fakeKubectl([{ call: 'create', stdout: 'pod/x', stderr: 'w', code: 3 }])
  const io = captureIo(fake.env)
  const kubectl = createKubectl({ io, context: 'aks' })
  expect(await kubectl(['create', '--filename=-'], '{"a":1}')).toMatchObject({
    stdout: 'pod/x',
    stderr: 'w',
  })
  expect(await fake.calls()).toEqual(['--context=aks create --filename=-'])
  expect(await fake.inputOf('create')).toBe('{"a":1}')
  // Doctor shows the output of kubectl only on a terminal.
  expect(io.err()).toBe('')
})

const Named = z.object({ metadata: z.object({ name: z.string() }) })

type Answer = Omit<KubectlAnswer, 'call'>

/** Asks for objects by name. */
async function ask(answer: Answer, runMs?: number) {
  using fake = fakeKubectl([{ call: 'get', ...answer }])
  const kubectl = createKubectl({ io: captureIo(fake.env) }, runMs)
  return await catchEnd(() => getNamed(kubectl, Named, 'deployments,jobs', 'orders'))
}

describe('asked for an object, kubectl', () => {
  test.each(FAILURES)('has failed with %s', async (_, stderr, code, problem) => {
    expect(await ask({ code: 1, stderr })).toMatchObject({
      fault: { code, problem: expect.stringMatching(problem), fix: expect.any(String) },
    })
  })

  test.each<[string, Answer, string, RegExp]>([
    ['no end', { runsOn: true }, 'login_failed', new RegExp(`^kubectl get .*: ${TIMED_OUT}$`)],
    [
      'no such kind',
      { code: 1, stderr: NO_SUCH_KIND },
      'pod_not_found',
      /resource type "rollout"$/,
    ],
    ['another document', { stdout: '[1]' }, 'kubectl_failed', /something else/],
    [
      'a warning and a reason',
      { code: 1, stderr: 'Warning: x\nerror: y\n' },
      'kubectl_failed',
      /: y$/,
    ],
  ])('has failed with %s', async (_, answer, code, problem) => {
    const fault = { code, problem: expect.stringMatching(problem) }
    expect(await ask(answer, answer.runsOn ? 100 : undefined)).toMatchObject({ fault })
  })

  test.each<Answer>([{}, { stdout: '{"items":[]}' }])('has found none: %j', async (answer) => {
    expect(await ask(answer)).toEqual([])
  })
})

test('a forbidden list is not an empty list', async () => {
  const stderr = 'Error from server (Forbidden): pods is forbidden: no\n'
  using fake = fakeKubectl([{ call: 'get', code: 1, stdout: '{"items":[]}', stderr }])
  const kubectl = createKubectl({ io: captureIo(fake.env) })
  const reason = 'kubectl get pods failed: pods is forbidden: no'
  expect(await catchEnd(() => list(kubectl, Named, 'pods'))).toMatchObject({
    outcome: { status: 'not_checked', reason },
  })
})

test('does not call a kind unknown if kubectl could not list the kinds', async () => {
  const stderr = `E1202 memcache.go:265] couldn't get current server API group list: EOF\n${NO_SUCH_KIND}`
  expect(await ask({ code: 1, stderr })).toMatchObject({ fault: { code: 'kubectl_failed' } })
})
