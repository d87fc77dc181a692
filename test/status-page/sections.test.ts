import { expect, test } from 'vitest'
import { renderClients, renderExchanges } from '../../src/status-page/sections.ts'
import { aStatus } from '../fixtures/status.ts'

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
