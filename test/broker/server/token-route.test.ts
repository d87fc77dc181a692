import { expect, test } from 'vitest'
import { BrokerError } from '../../../src/lib/errors.ts'
import { createMetadataApp } from '../../../src/broker/server/app.ts'
import { findCorrelationId } from '../../../src/broker/server/token-route.ts'
import { imds } from '../../../src/broker/dialects/imds.ts'
import { WaitingCallers } from '../../../src/broker/tokens/caller-wait.ts'
import type { AccessToken } from '../../../src/broker/tokens/token.ts'
import { openConnection, request, roundTrip, TOKEN } from '../../fixtures/connection.ts'
import { aToken, BILLING, ORDERS, parts } from '../../fixtures/parts.ts'
import { serveParts } from '../../fixtures/sidecar.ts'

/** A generous limit: no test depends on the speed of the machine. */
const PATIENCE = { timeout: 60_000 }
const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
const PARENT = '00f067aa0ba902b7'
const OTHER = '11111111-1111-4111-8111-111111111111'
const GUID = '4bf92f35-77b3-4da6-a3ce-929d0e0e4736'

test.each([
  [`00-${TRACE}-${PARENT}-01`, GUID],
  [`cc-${TRACE}-${PARENT}-01-a-later-version`, GUID],
  [`00-${TRACE}-${PARENT}-01-more`, undefined],
  [`ff-${TRACE}-${PARENT}-01`, undefined],
  [`00-${'0'.repeat(32)}-${PARENT}-01`, undefined],
  [`00-${TRACE}-${'0'.repeat(16)}-01`, undefined],
  [`00-${TRACE.toUpperCase()}-${PARENT}-01`, undefined],
])('takes the traceparent %j as the correlation id %s', (traceparent, correlationId) => {
  expect(findCorrelationId({ traceparent })).toBe(correlationId)
})

test.each([
  [GUID.toUpperCase(), {}, GUID],
  [OTHER, { traceparent: `00-${TRACE}-${PARENT}-01` }, GUID],
  ['not a GUID', {}, undefined],
])(
  'takes the x-ms-client-request-id %j with %j as the correlation id %s',
  (requestId, headers, correlationId) => {
    const found = findCorrelationId({ 'x-ms-client-request-id': requestId, ...headers })
    expect(found).toBe(correlationId)
  },
)

/** Requests a token, and hangs up once `seen` resolves. */
async function hangUpAfter(seen: Promise<void>, port: number): Promise<void> {
  await using connection = await openConnection(port)
  connection.write(request(TOKEN))
  await seen
  connection.destroy()
}

const FAILURE = new BrokerError('entra_timeout', 'no answer')
const gone = (signal: AbortSignal) =>
  new Promise((resolve) => signal.addEventListener('abort', resolve))

/** Requests a token, and hangs up. Returns the reported replies; the last one belongs to another request. */
async function hangUp(end: (signal: AbortSignal) => Promise<AccessToken>) {
  const asked = Promise.withResolvers<void>()
  const given = parts({
    tokens: (_request, createSignal = () => new AbortController().signal) => {
      const signal = createSignal()
      asked.resolve()
      return end(signal)
    },
  })
  await using served = await serveParts(given)
  await hangUpAfter(asked.promise, served.port)
  await expect.poll(() => given.replies.length, PATIENCE).toBe(1)
  expect((await roundTrip(served.port, request('/metadata/versions'))).status).toBe(200)
  return given.replies
}

test.each<[string, (signal: AbortSignal) => Promise<AccessToken>]>([
  ['gets a token too late', (signal) => gone(signal).then(() => aToken())],
  ['fails too late', (signal) => gone(signal).then(() => Promise.reject(FAILURE))],
  [
    'waits for an exchange that does not end',
    (signal) =>
      new WaitingCallers(1, 8000).wait(
        () => new Promise<AccessToken>(() => {}),
        () => signal,
      ),
  ],
])('a request whose caller hangs up is reported once, as abandoned, if it %s', async (_, end) => {
  const [abandoned, other] = await hangUp(end)
  expect(abandoned).toMatchObject({
    protocol: 'imds',
    status: 499,
    error: { code: 'request_abandoned' },
  })
  expect(other).toMatchObject({ protocol: 'document', error: undefined })
})

test('the cache gets the trace id and bypass_cache of a request, but no field that changes key, identity or scope', async () => {
  const fields = { key: 'a key', identity: BILLING, scope: 'https://storage.azure.com/.default' }
  const dialect = {
    ...imds,
    parse: (wire: Parameters<typeof imds.parse>[0]) => ({ ...imds.parse(wire), ...fields }),
  }
  const given = parts({ dialects: [dialect] })
  await using app = createMetadataApp(() => given.pod, given.clock)

  const traceparent = `00-${TRACE}-${PARENT}-01`
  const headers = { host: 'localhost', metadata: 'true', traceparent }
  await app.inject({ url: `${TOKEN}&bypass_cache=true`, headers })
  expect(given.asked).toEqual([
    {
      identity: ORDERS,
      scope: 'https://vault.azure.net/.default',
      bypassCache: true,
      correlationId: GUID,
    },
  ])
})
