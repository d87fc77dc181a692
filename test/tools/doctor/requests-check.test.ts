import { expect, test } from 'vitest'
import { describeRequests } from '../../../src/tools/doctor/requests-check.ts'
import { aStatus } from '../../fixtures/status.ts'

type RequestsDocument = Parameters<typeof describeRequests>[0]

const NOW = '2026-11-24T12:00:00.000Z'
const LONG_AGO = '2026-11-24T11:54:59.000Z'

const ID = '11111111-1111-4111-8111-111111111111'

interface Failed {
  readonly clientId?: string
  readonly resource?: string
  readonly code: string
  readonly lastAt?: string
  readonly message?: string
  readonly fix?: string
}

/** Returns the status of a sidecar at `NOW` whose requests failed. */
const documentOf = (
  { lastAt = NOW, message = 'why', fix = 'how', clientId, resource, ...failure }: Failed,
  changes: Partial<RequestsDocument> = {},
): RequestsDocument => {
  const client = { client: 'python-requests', clientVersion: '2.32' }
  const failed = { lastAt, count: 3, protocol: 'imds', ...client }
  const asked = { ...(clientId && { clientId }), ...(resource && { resource }) }
  const failedRequests = [{ ...failed, ...asked, failure: { message, fix, ...failure } }]
  return aStatus({ assertions: [], tokens: [], failedRequests, ...changes })
}

const failingTokens = (code: string) =>
  aStatus().tokens.map((token) => ({ ...token, failure: { code, message: 'why' } }))

test.each<[string, Failed, Partial<RequestsDocument>, boolean]>([
  ['an invalid request', { code: 'resource_missing' }, {}, true],
  ['one of more than five minutes ago', { code: 'resource_missing', lastAt: LONG_AGO }, {}, false],
  [
    'an exchange that still fails with this resource',
    { code: 'resource_refused', clientId: ID, resource: 'https://vault.azure.net' },
    { tokens: failingTokens('resource_refused') },
    true,
  ],
  [
    'an exchange of which only another resource still fails',
    { code: 'resource_refused', clientId: ID, resource: 'https://corrected.test' },
    { tokens: failingTokens('resource_refused') },
    false,
  ],
  ['an exchange that fails no more', { code: 'entra_timeout' }, {}, false],
  [
    'a projected token that still fails',
    { code: 'assertion_missing' },
    { assertions: [{ file: '/token', failure: { code: 'assertion_missing', message: 'why' } }] },
    true,
  ],
  ['the probe of an SDK', { code: 'metadata_header_missing' }, {}, false],
])('says of %s whether it needs a fix', (_, failed, changes, needsFix) => {
  expect(describeRequests(documentOf(failed, changes))).toMatchObject([
    needsFix
      ? { status: 'failed', failure: { code: failed.code } }
      : {
          status: 'ok',
          warnings: [
            `${failed.resource === undefined ? '' : `client id ${ID} → ${failed.resource}: `}3 of python-requests/2.32, the last at ${failed.lastAt ?? NOW}: ${failed.code}. Fix: how`,
          ],
        },
  ])
})

test('has the commands that create a missing credential', () => {
  const code = 'federated_credential_not_found'
  const failed = { code, clientId: ID, resource: 'https://vault.azure.net' }
  const { assertions } = aStatus()
  const [finding] = describeRequests(
    documentOf(failed, { tokens: failingTokens(code), assertions }),
  )
  expect(finding?.commands?.[0]?.command).toMatch(/^az identity federated-credential create /)
})

test('tells requests with different wrong resources apart', () => {
  const resources = ['https://a.test', 'https://b.test']
  const failedRequests = resources.flatMap((resource) =>
    documentOf({ code: 'resource_not_allowed', clientId: ID, resource }).failedRequests.flatMap(
      (failed) => ['curl', 'go'].map((client) => ({ ...failed, client, clientVersion: '' })),
    ),
  )
  const findings = describeRequests(aStatus({ failedRequests }))
  expect(findings.map(({ subject, details }) => [subject, ...details])).toEqual(
    resources.map((resource) => [
      `client id ${ID} → ${resource}`,
      expect.stringMatching(/^3 of curl, 3 of go failed since /),
    ]),
  )
})

test('tells requests with unknown object ids apart by the message', () => {
  const failed = { code: 'identity_not_found', resource: 'https://a.test' }
  const failedRequests = ['no identity has 1', 'no identity has 2'].flatMap(
    (message) => documentOf({ ...failed, message }).failedRequests,
  )
  expect(describeRequests(aStatus({ failedRequests }))).toHaveLength(2)
})
