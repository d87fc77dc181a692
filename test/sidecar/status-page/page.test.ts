import { expect, test } from 'vitest'
import { renderPage } from '../../../src/sidecar/status-page/page.ts'
import { aStatus, textOf, TRAFFIC } from '../../fixtures/status.ts'

test.each([
  ['starting', 'Not ready: starting'],
  ['ready', 'Ready'],
  ['degraded', 'Ready, with problems'],
  // /readyz answers 200 in every state but starting.
  ['failing', 'Failing: no token'],
] as const)('the title in state %s is %s', (state, title) => {
  const { body } = renderPage(aStatus({ state }), TRAFFIC)
  expect(/<title>(.*) &ndash; .* &ndash; wimds<\/title>/.exec(body)?.[1]).toBe(title)
})

test('a warning, as of a changed identities file that is not valid, shows in the title and above the traffic', () => {
  const { body } = renderPage(aStatus({ warnings: ['the old file is still in use'] }), TRAFFIC)
  expect(body).toContain('<title>Ready, with warnings &ndash;')
  expect(body.indexOf('The old file is still in use')).toBeLessThan(
    body.indexOf('>Traffic since the start<'),
  )
})

test('the page says that no token is in memory, whatever requests have failed', () => {
  const { body } = renderPage(aStatus({ tokens: [] }), TRAFFIC)
  expect(body).toContain('<title>Ready, no token yet &ndash;')
  expect(body).toContain('No token is in memory.')
})

test('the head says that no projected token can be used, and since when the longest fault lasts', () => {
  const failure = { code: 'assertion_missing', message: 'there is no projected token' }
  const problems = ['2026-11-24T11:50:00.000Z', '2026-11-24T11:45:00.000Z'].map((failingSince) => ({
    summary: failure.message,
    failingSince,
    failure,
  }))
  const { body } = renderPage(aStatus({ state: 'starting', problems }), TRAFFIC)
  const [, head = ''] = body.split('<header>')
  const text = textOf(head.split('</header>')[0] ?? '')
  expect(body).toContain('<title>Not ready: no valid projected token &ndash;')
  expect(body).toContain('<span class="pill failing">Not ready: no valid projected token</span>')
  expect(text).toContain('Failing since 15 min ago 11:45:00 UTC')
})

test('the head says since when some requests fail, and not since when a refresh does', () => {
  const problem = { summary: 'no token', failingSince: '2026-11-24T11:45:00.000Z' }
  const served = { ...problem, servedUntil: '2026-11-24T12:45:00.000Z' }
  const headOf = (each: typeof problem) =>
    renderPage(aStatus({ state: 'degraded', problems: [each] }), TRAFFIC).body.split('</header>')[0]
  expect(headOf(problem)).toContain('Some requests fail since')
  expect(headOf(served)).not.toContain('fail since')
})
