import { expect, test } from 'vitest'
import { renderPage } from '../../../src/broker/status-page/page.ts'
import type { StatusDocument } from '../../../src/broker/telemetry/status-schema.ts'
import { aStatus, textOf } from '../../fixtures/status.ts'

/** Returns the text of a section of the page; it is 12:00:00 UTC. */
function sectionOf(name: string, overrides: Partial<StatusDocument>): string {
  const [, rest = ''] = renderPage(aStatus(overrides)).body.split(`<section id="${name}"`)
  return textOf(`<section ${rest.split('</section>')[0]}`)
}

test('the title says whether the sidecar is ready, and how', () => {
  // /readyz answers 200 in every state but starting.
  const { body } = renderPage(aStatus({ state: 'failing' }))
  expect(/<title>(.*) &ndash; .* &ndash; wimds<\/title>/.exec(body)?.[1]).toBe('Failing: no token')
})

test('problems and warnings, as of a changed identities file that is not valid, stand above the lists', () => {
  const problems = [{ summary: 'no token' }]
  const { body } = renderPage(aStatus({ problems, warnings: ['the old file is still in use'] }))
  const places = ['No token', 'The old file is still in use', '>Tokens<'].map((text) =>
    body.indexOf(text),
  )
  expect(places).toEqual(places.toSorted((a, b) => a - b))
  expect(places[0]).toBeGreaterThan(0)
})

test('a token has its expiry and its next refresh', () => {
  expect(sectionOf('tokens', {})).toContain(
    'https://vault.azure.net orders Obtained 3 h ago 09:00:00 UTC Expires in 21 h 2026-11-25 09:00:00 UTC in 9 h 21:10:00 UTC 0 –',
  )
})

test('an overdue attempt waits for a request', () => {
  const tokens = aStatus().tokens.map((token) => ({
    ...token,
    nextAttemptAt: '2026-11-24T11:59:00.000Z',
  }))
  expect(sectionOf('tokens', { tokens })).toContain('at the next request')
})

test('the projected token has its claims', () => {
  expect(sectionOf('assertions', {})).toContain(
    'Subject system:serviceaccount:shop:orders Audience api://AzureADTokenExchange Expires in 41 min 12:41:00 UTC',
  )
})

test('a client or a token that calls again keeps its row, and failing tokens come first', () => {
  const failure = { code: 'entra_unreachable', message: 'Entra ID cannot be reached' }
  const clients = aStatus().clients.flatMap((client) =>
    ['1.5.0', '1.12.0'].map((version) => ({ ...client, version })),
  )
  const tokens = aStatus().tokens.flatMap((token) => [
    { ...token, resource: 'https://a' },
    { ...token, resource: 'https://b', failure },
  ])
  const { body } = renderPage(aStatus({ clients, tokens }))
  const reversed = { clients: clients.toReversed(), tokens: tokens.toReversed() }
  expect(renderPage(aStatus(reversed)).body).toBe(body)
  expect(body.indexOf('https://<wbr />b')).toBeLessThan(body.indexOf('https://<wbr />a'))
})

const failed = {
  lastAt: '2026-11-24T11:58:00.000Z',
  count: 6,
  protocol: 'imds',
  client: 'curl',
  clientVersion: '7.88.1',
  identity: 'orders',
  resource: 'https://vault.azure.net',
  failure: { code: 'identity_not_found', message: 'Identity not found', fix: 'name another one' },
}

test('a failed request has its fix, unless a problem has the same', () => {
  const textWith = (fix: string) =>
    sectionOf('failedRequests', {
      failedRequests: [failed],
      problems: [{ summary: 'no token', failure: { ...failed.failure, fix } }],
    })
  expect(textWith('wait')).toContain('identity_not_found Identity not found Fix: name another one.')
  expect(textWith(failed.failure.fix)).toMatch(
    / imds orders https:\/\/vault\.azure\.net identity_not_found$/,
  )
})

test('no value becomes markup', () => {
  const resource = `"'><script>alert(1)</script>&lt;`
  const tokens = aStatus().tokens.map((token) => ({ ...token, resource, identity: resource }))
  const { body } = renderPage(aStatus({ tokens }))
  expect(body).not.toMatch(/<script|&lt;/)
  expect(textOf(body)).toContain(resource)
})
