import { expect, test } from 'vitest'
import { createMetadataApp } from '../../../src/broker/server/app.ts'
import { findCorrelationId } from '../../../src/broker/server/token-route.ts'
import { imds } from '../../../src/broker/dialects/imds.ts'
import { openConnection, request, roundTrip, TOKEN } from '../../fixtures/connection.ts'
import { aToken, BILLING, ORDERS, parts } from '../../fixtures/parts.ts'
import { serveParts } from '../../fixtures/sidecar.ts'

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
const PARENT = '00f067aa0ba902b7'
const GUID = '4bf92f35-77b3-4da6-a3ce-929d0e0e4736'

test.each([
  [`00-${TRACE}-${PARENT}-01`, GUID],
  [`00-${TRACE}-${PARENT}-00`, GUID],
  [`cc-${TRACE}-${PARENT}-01`, GUID],
  [`cc-${TRACE}-${PARENT}-01-a-later-version`, GUID],
  [`00-${TRACE}-${PARENT}-01-more`, undefined],
  [`00-${TRACE}-${PARENT}-01 `, undefined],
  [`ff-${TRACE}-${PARENT}-01`, undefined],
  [`00-${'0'.repeat(32)}-${PARENT}-01`, undefined],
  [`00-${TRACE}-${'0'.repeat(16)}-01`, undefined],
  [`00-${TRACE.toUpperCase()}-${PARENT}-01`, undefined],
  [`00-${TRACE.slice(1)}-${PARENT}-01`, undefined],
  [`${TRACE}-${PARENT}`, undefined],
  ['', undefined],
  [undefined, undefined],
])('takes the traceparent %j as the correlation id %s', (traceparent, correlationId) => {
  const headers = traceparent === undefined ? {} : { traceparent }
  expect(findCorrelationId(headers)).toBe(correlationId)
})

test.each([
  [GUID.toUpperCase(), undefined, GUID],
  [GUID, `00-${'1'.repeat(32)}-${PARENT}-01`, '11111111-1111-1111-1111-111111111111'],
  ['not a GUID', undefined, undefined],
])(
  'takes the x-ms-client-request-id %j with the traceparent %j as the correlation id %s',
  (requestId, traceparent, correlationId) => {
    const headers = { 'x-ms-client-request-id': requestId, ...(traceparent && { traceparent }) }
    expect(findCorrelationId(headers)).toBe(correlationId)
  },
)

test('passes the trace id on with the token request', async () => {
  const given = parts()
  await using app = createMetadataApp(() => given.pod, given.clock)

  const headers = { host: 'localhost', metadata: 'true' }
  await app.inject({ url: TOKEN, headers: { ...headers, traceparent: `00-${TRACE}-${PARENT}-01` } })
  await app.inject({ url: TOKEN, headers })
  expect(given.asked.map(({ correlationId }) => correlationId)).toEqual([GUID, undefined])
})

test.each(['/.default', '/.DEFAULT', ''])(
  'a resource that ends in %j is asked for by one scope',
  async (end) => {
    const given = parts()
    await using app = createMetadataApp(() => given.pod, given.clock)
    await app.inject({ url: `${TOKEN}${end}`, headers: { host: 'localhost', metadata: 'true' } })
    expect(given.asked[0]?.scope).toBe('https://vault.azure.net/.default')
  },
)

/** Requests a token, and hangs up once `seen` resolves. */
async function hangUpAfter(seen: Promise<void>, port: number): Promise<void> {
  await using connection = await openConnection(port)
  connection.write(request(TOKEN))
  await seen
  connection.destroy()
}

test('a token whose caller has hung up is not reported as served', async () => {
  const hungUp = Promise.withResolvers<void>()
  const answered = Promise.withResolvers<void>()
  const given = parts({
    tokens: async (_request, createSignal) => {
      createSignal?.().addEventListener('abort', () => hungUp.resolve())
      answered.resolve()
      await hungUp.promise
      return aToken()
    },
  })
  await using served = await serveParts(given)
  await hangUpAfter(answered.promise, served.port)
  await hungUp.promise
  // Answered after the token.
  expect((await roundTrip(served.port, request('/metadata/versions'))).status).toBe(200)
  expect(given.replies.map(({ protocol }) => protocol)).toEqual(['document'])
})

test('passes no other field of a query on than bypassCache, so that none changes key, identity or scope', async () => {
  const fields = { key: 'a key', identity: BILLING, scope: 'https://storage.azure.com/.default' }
  const dialect = {
    ...imds,
    parse: (wire: Parameters<typeof imds.parse>[0]) => ({ ...imds.parse(wire), ...fields }),
  }
  const given = parts({ dialects: [dialect] })
  await using app = createMetadataApp(() => given.pod, given.clock)

  const headers = { host: 'localhost', metadata: 'true' }
  await app.inject({ url: `${TOKEN}&bypass_cache=true`, headers })
  expect(given.asked).toEqual([
    {
      identity: ORDERS,
      scope: 'https://vault.azure.net/.default',
      bypassCache: true,
    },
  ])
})
