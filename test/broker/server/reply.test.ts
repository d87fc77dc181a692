import { expect, test } from 'vitest'
import {
  createJsonReply,
  type TokenAnswer,
  type WireRequest,
} from '../../../src/broker/dialects/dialect.ts'
import { imds } from '../../../src/broker/dialects/imds.ts'
import { memoizedRenderer } from '../../../src/broker/server/reply.ts'
import { aToken, ORDERS } from '../../fixtures/parts.ts'

const ANSWER: TokenAnswer = {
  query: { selector: { by: 'default' }, resource: 'https://vault.azure.net' },
  identity: ORDERS,
  token: aToken(),
  expiresIn: 60,
  expiresOn: 1_800_000_060,
}

test.each<[string, Partial<WireRequest>, number]>([
  ['renders a reply once for the same request', {}, 1],
  ['does not remember a request with a body', { body: 'resource=x' }, 2],
  ['does not remember a request with a long query', { query: 'a'.repeat(1025) }, 2],
])('%s', (_, given, expected) => {
  let rendered = 0
  const dialect = { ...imds, render: () => createJsonReply(200, { rendered: (rendered += 1) }) }
  const render = memoizedRenderer()
  const wire = { headers: {}, query: '', ...given }
  render(dialect, ANSWER, wire)
  render(dialect, ANSWER, wire)
  expect(rendered).toBe(expected)
})
