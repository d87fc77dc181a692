import { expect, test } from 'vitest'
import { findProblemLink, renderProblems } from '../../../src/sidecar/status-page/problems.ts'
import type { StatusDocument } from '../../../src/sidecar/telemetry/status-schema.ts'
import { aStatus, textOf } from '../../fixtures/status.ts'

const FAILURE = {
  summary: 'no token for https://vault.azure.net as orders',
  resources: ['https://vault.azure.net'],
  consecutiveFailures: 4,
  failingSince: '2026-11-24T11:45:00.000Z',
  nextAttemptAt: '2026-11-24T12:00:21.000Z',
  failure: { code: 'entra_unreachable', message: 'Entra ID cannot be reached' },
}

/** Returns the text of the cards; it is 12:00:00 UTC. */
function cardsOf(problem: StatusDocument['problems'][number], { tokens } = aStatus()): string {
  const status = aStatus({ state: 'degraded', problems: [problem], tokens })
  return textOf(renderProblems(status).markup)
}

test('a failing refresh says since when, and until when the cached token is served', () => {
  const text = cardsOf({ ...FAILURE, servedUntil: '2026-11-24T12:24:00.000Z' })
  expect(text).toContain('Failing since 15 min ago 11:45:00 UTC')
  expect(text).toContain('Applications get the cached token')
  expect(text).toContain('Until in 24 min 12:24:00 UTC , then errors')
  expect(text).toContain('Next attempt in 21 s 12:00:21 UTC')
  expect(text).toContain('Failed exchanges 4 in a row')
})

test('a failure without a token says what applications get, and that an overdue attempt waits for a request', () => {
  const text = cardsOf({ ...FAILURE, nextAttemptAt: '2026-11-24T11:59:00.000Z' })
  expect(text).toContain('Applications get an error')
  expect(text).toContain('Next attempt at the next request')
  expect(text).not.toContain('Until')
})

test('while some tokens are still served, a fault names what requests fail for, and is as urgent as any', () => {
  const problem = {
    summary: 'there is no projected token',
    failingSince: '2026-11-24T11:45:00.000Z',
    servedUntil: '2026-11-24T12:24:00.000Z',
    withoutToken: [{ identity: 'orders', resource: 'https://storage.azure.com' }],
    failure: { code: 'assertion_missing', message: 'there is no projected token' },
  }
  expect(cardsOf(problem)).toContain(
    'Applications get cached tokens, and an error for https://storage.azure.com Until in 24 min 12:24:00 UTC , then errors',
  )
  const { markup } = renderProblems(aStatus({ state: 'degraded', problems: [problem] }))
  expect(markup).toContain('class="card problem failing"')
})

test('a fault that concerns several identities names those whose requests fail', () => {
  const failure = { code: 'assertion_missing', message: 'there is no projected token' }
  const problem = {
    summary: failure.message,
    servedUntil: '2026-11-24T12:24:00.000Z',
    withoutToken: [{ identity: 'orders', resource: 'https://vault.azure.net' }],
    failure,
  }
  const { tokens } = aStatus()
  const billing = '55555555-5555-4555-8555-555555555555'
  const served = tokens.map((token) => ({
    ...token,
    identity: billing,
    clientId: billing,
    failure,
  }))
  const failing = tokens.map((token) => ({ ...token, cached: undefined, failure }))
  expect(cardsOf(problem, aStatus({ tokens: [...served, ...failing] }))).toContain(
    'cached tokens, and an error for https://vault.azure.net as orders Until',
  )
  expect(cardsOf(problem, aStatus({ tokens: failing }))).toContain(
    'cached tokens, and an error for https://vault.azure.net Until',
  )
})

test('a fault of the projected token, before one was read, is shown as a fault, and waiting is not', () => {
  const problem = {
    summary: 'there is no projected token',
    failingSince: '2026-11-24T11:45:00.000Z',
    failure: { code: 'assertion_missing', message: 'there is no projected token' },
  }
  const waiting = { summary: 'the projected token has not been read yet' }
  const [faulty, calm] = [problem, waiting].map((each) =>
    renderProblems(aStatus({ state: 'starting', problems: [each] })),
  )
  expect(faulty?.markup).toMatch(/What is wrong[^]*class="card problem failing"/)
  expect(calm?.markup).toMatch(/What it waits for[^]*class="card problem starting"/)
  expect(cardsOf(problem)).toContain('Applications get an error')
})

test('an unlisted client id is called so in the title, and the id is among the facts', () => {
  const id = '55555555-5555-4555-8555-555555555555'
  const summary = `no token for https://vault.azure.net as ${id}`
  const text = cardsOf({ ...FAILURE, summary, identity: id, clientId: id })
  expect(text).toContain(' as an unlisted client id ')
  expect(text).toContain(`Client id ${id}`)
  const [configured] = aStatus().identities
  const nameless = configured?.clientId ?? ''
  const listed = { ...FAILURE, summary: `no token for x as ${nameless}` }
  expect(cardsOf({ ...listed, identity: nameless, clientId: nameless })).not.toMatch(
    /unlisted|Client id/,
  )
  const named = cardsOf({ ...FAILURE, identity: 'orders', clientId: id })
  expect(named).toContain(' as orders')
  expect(named).not.toContain('Client id')
})

test('a command names the placeholders in it', () => {
  const failure = { code: 'federated_credential_not_found', message: 'there is none' }
  expect(cardsOf({ ...FAILURE, failure })).toContain('(fill in IDENTITY_NAME, RESOURCE_GROUP):')
})

test('two faults with the same code do not share the failed requests of that code', () => {
  const problems = ['orders', 'billing'].map((identity) => ({
    ...FAILURE,
    summary: `no token for https://vault.azure.net as ${identity}`,
    clientId: identity,
  }))
  const failedRequests = [
    {
      lastAt: '2026-11-24T11:59:00.000Z',
      count: 212,
      protocol: 'imds',
      client: 'curl',
      clientVersion: '7.88.1',
      failure: FAILURE.failure,
    },
  ]
  const status = aStatus({ state: 'failing', problems, failedRequests })
  expect(renderProblems(status).markup).not.toContain('212')
  expect(findProblemLink(status, 'entra_unreachable')).toBeUndefined()
  expect(findProblemLink(status, 'entra_unreachable', { clientId: 'billing' })).toBe('#problem-2')
})

test('the next step names the placeholders in its command', () => {
  const problems = [FAILURE]
  const { markup } = renderProblems(
    aStatus({ problems, workload: { host: 'orders-0', inPod: true } }),
  )
  expect(markup).toContain('Next, check this sidecar (fill in NAMESPACE);')
})

test('outside Kubernetes the next step is wimds doctor, without kubectl', () => {
  const workload = { host: 'vm', namespace: 'shop', serviceAccount: 'orders', inPod: false }
  const { markup } = renderProblems(aStatus({ state: 'failing', problems: [FAILURE], workload }))
  expect(markup).toMatch(/doctor\.md" rel="noreferrer">wimds doctor<\/a>/)
  expect(markup).not.toContain('kubectl')
})
