import { expect, test } from 'vitest'
import { renderAssertions, renderClients } from '../../../src/sidecar/status-page/sections.ts'
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
