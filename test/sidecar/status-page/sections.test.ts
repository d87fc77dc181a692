import { expect, test } from 'vitest'
import {
  renderAssertions,
  renderClients,
  renderExchanges,
  renderFailedRequests,
} from '../../../src/sidecar/status-page/sections.ts'
import { aStatus } from '../../fixtures/status.ts'

test('a client that calls again keeps its row', () => {
  const [client] = aStatus().clients
  if (client === undefined) throw new Error('the status has no client')
  const versions = ['1.5.0', '1.12.0'].map((version) => ({ ...client, version }))
  const [before, after] = [versions, versions.toReversed()].map((clients) =>
    renderClients(aStatus({ clients })),
  )
  expect(after).toEqual(before)
})

test.each([
  ['open', 'federated_credential_mismatch'],
  ['closed', 'entra_unreachable'],
])('the projected token is %s while tokens fail with %s', (state, code) => {
  const problems = [{ summary: 'no token', failure: { code, message: 'it failed' } }]
  const { markup } = renderAssertions(aStatus({ problems }))
  expect(markup.includes('<details open data-open>')).toBe(state === 'open')
  expect(markup).toContain('expires in 41 min')
})

test.each([
  ['assertion_missing', true],
  ['assertion_expired', false],
  ['entra_unreachable', false],
])('an exchange that ends with %s says whether Entra ID was not asked: %s', (code, isUnasked) => {
  const [exchange] = aStatus().exchanges
  if (exchange === undefined) throw new Error('the status has no exchange')
  const exchanges = [{ ...exchange, failure: { code, message: 'it failed' } }]
  const { markup } = renderExchanges(aStatus({ exchanges }))
  expect(markup.includes('Entra ID was not asked')).toBe(isUnasked)
  expect(markup.includes('214 ms')).toBe(!isUnasked)
})

const FAILURE = { code: 'entra_unreachable', message: 'Entra ID cannot be reached' }

test.each([
  ['closed', 'no exchange failed', {}, false, '1, none failed, the last 3 h ago'],
  ['closed', 'what failed has passed', { count: 3, failure: FAILURE }, false, '3 of 3 failed'],
  ['open', 'something is wrong', { failure: FAILURE }, true, '1 of 1 failed'],
])('the exchanges are %s while %s', (state, _, overrides, isWrong, summary) => {
  const exchanges = aStatus().exchanges.map((exchange) => ({ ...exchange, ...overrides }))
  const problems = isWrong ? [{ summary: 'no token', failure: FAILURE }] : []
  const { markup } = renderExchanges(aStatus({ exchanges, problems }))
  expect(markup.includes('<details open data-open>')).toBe(state === 'open')
  expect(markup).toContain(summary)
})

test('failed requests are open if a card does not explain them: their fault may be one of the caller', () => {
  const failed = {
    lastAt: '2026-11-24T11:58:00.000Z',
    count: 6,
    protocol: 'imds',
    client: 'curl',
    clientVersion: '7.88.1',
    failure: { code: 'identity_not_found', message: 'Identity not found' },
  }
  expect(renderFailedRequests(aStatus()).markup).not.toContain('<details open')
  const { markup } = renderFailedRequests(aStatus({ failedRequests: [failed, failed] }))
  expect(markup).toContain('<details open data-open>')
  expect(markup).toContain('12, the last 2 min ago')
  const problems = [{ summary: 'no token', failure: failed.failure }]
  const explained = renderFailedRequests(aStatus({ failedRequests: [failed], problems }))
  expect(explained.markup).not.toContain('<details open')
})
