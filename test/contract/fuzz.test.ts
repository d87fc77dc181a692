import { setTimeout as sleep } from 'node:timers/promises'
import * as fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openConnection, request, roundTrip } from '../fixtures/connection.ts'
import { parts } from '../fixtures/parts.ts'
import { serveParts } from '../fixtures/sidecar.ts'

const RIGHT = request(
  '/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https://vault.azure.net',
)

const given = parts()
let server: Awaited<ReturnType<typeof serveParts>>
beforeAll(async () => {
  server = await serveParts(given)
})
afterAll(() => server[Symbol.asyncDispose]())

const methods = fc.constantFrom('GET', 'POST', 'HEAD', 'OPTIONS', 'CONNECT', 'TRACE', 'PRI', 'get')

/** A right request in which the method and some places were written over, cut out or doubled. */
const mangled = fc
  .array(
    fc.record({
      at: fc.nat(RIGHT.length),
      cut: fc.nat(6),
      put: fc.oneof(
        fc.string({ maxLength: 6 }),
        fc.constantFrom(
          '\r\n',
          '\r\n\r\n',
          '%',
          '\0',
          '\xff',
          ' ',
          ':',
          '/../',
          '?',
          '&',
          '#',
          '1.0',
        ),
        fc.constantFrom('Content-Length: 5\r\n', 'Transfer-Encoding: chunked\r\n', RIGHT),
      ),
    }),
    { minLength: 1, maxLength: 4 },
  )
  .chain((changes) =>
    methods.map((method) =>
      changes.reduce(
        (bytes, { at, cut, put }) => bytes.slice(0, at) + put + bytes.slice(at + cut),
        RIGHT.replace('GET', method),
      ),
    ),
  )

test('meets any bytes with replies that are right or with none, and never waits or breaks', async () => {
  await fc.assert(
    fc.asyncProperty(mangled, async (bytes) => {
      await using connection = await openConnection(server.port)
      connection.write(bytes)
      connection.end()
      const received = await connection.closed(2000)
      expect(received).toMatch(/^(?:$|HTTP\/1\.1 \d{3} )/)
      for (const status of received.match(/(?<=^HTTP\/1\.1 )\d{3}(?= )/gm) ?? []) {
        expect(['200', '400', '404', '405', '413', '431']).toContain(status)
      }
    }),
    { numRuns: 300 },
  )
  expect((await roundTrip(server.port, RIGHT)).status).toBe(200)
  expect(given.replies.filter(({ error }) => error?.code === 'internal')).toEqual([])
})

test('outlives callers that reset the connection, whatever they sent', async () => {
  await fc.assert(
    fc.asyncProperty(mangled, fc.nat(8), async (bytes, waitMs) => {
      await using connection = await openConnection(server.port)
      connection.pause()
      connection.write(bytes)
      await sleep(waitMs)
      connection.reset()
    }),
    { numRuns: 300 },
  )
  expect((await roundTrip(server.port, RIGHT)).status).toBe(200)
})
