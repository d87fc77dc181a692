import { expect, test } from 'vitest'
import { createKubectl } from '../../../src/tools/doctor/kubectl.ts'
import { checkLocalRedirect } from '../../../src/tools/doctor/cluster-checks.ts'
import { runCheck } from '../../../src/tools/doctor/findings.ts'
import { fakeKubectl, type KubectlAnswer } from '../../fixtures/kubectl.ts'
import { captureIo } from '../capture.ts'

async function check(answer: Omit<KubectlAnswer, 'call'>) {
  using fake = fakeKubectl([
    { call: 'get ciliumlocalredirectpolicies --all-namespaces', ...answer },
  ])
  const kubectl = createKubectl({ io: captureIo(fake.env) })
  return await runCheck('local_redirect', () => checkLocalRedirect(kubectl))
}

const policiesOf = (ip: string) => ({
  stdout: JSON.stringify({
    items: [
      { metadata: { name: 'service', namespace: 'a' }, spec: { redirectFrontend: {} } },
      {
        metadata: { name: 'imds', namespace: 'kube-system' },
        spec: { redirectFrontend: { addressMatcher: { ip, toPorts: [] } } },
      },
    ],
  }),
})

test('fails for a policy of the metadata address', async () => {
  expect(await check(policiesOf('169.254.169.254'))).toMatchObject({
    status: 'failed',
    failure: {
      code: 'route_to_other_service',
      problem: expect.stringMatching(/: kube-system\/imds$/),
      fix: expect.stringContaining('mode env'),
    },
  })
})

test.each([
  ['ok', policiesOf('169.254.20.10')],
  [
    'not_needed',
    {
      code: 1,
      stderr: `error: the server doesn't have a resource type "ciliumlocalredirectpolicies"`,
    },
  ],
  ['not_checked', { code: 1, stderr: 'Error from server (Forbidden): no', stdout: '{"items":[]}' }],
])('is %s for %j', async (status, answer) => {
  expect((await check(answer)).status).toBe(status)
})
