import { expect, test } from 'vitest'
import { renderTokens } from '../../../src/sidecar/status-page/tokens.ts'
import { aStatus } from '../../fixtures/status.ts'

const RESOURCES = ['https://vault.azure.net', 'https://management.azure.com', 'https://storage']
const FAILURE = { code: 'entra_unreachable', message: 'Entra ID cannot be reached' }

/** Returns the resources of the cards for these tokens. One of them may fail. */
function renderOrder(resources: readonly string[], failing?: string): readonly string[] {
  const [token] = aStatus().tokens
  if (token === undefined) throw new Error('the status has no token')
  const tokens = resources.map((resource) => ({
    ...token,
    resource,
    ...(resource === failing && { failure: FAILURE }),
  }))
  const text = renderTokens(aStatus({ tokens })).markup
  return [...text.matchAll(/<h3>(.*?)<\/h3>/g)].map(([, title = '']) =>
    title.replaceAll(/<.*?>/g, ''),
  )
}

test('a token that is requested again keeps its place', () => {
  expect(renderOrder(RESOURCES)).toEqual(renderOrder(RESOURCES.toReversed()))
})

test('a token that fails is the first', () => {
  expect(renderOrder(RESOURCES, 'https://vault.azure.net')[0]).toBe('https://vault.azure.net')
})
