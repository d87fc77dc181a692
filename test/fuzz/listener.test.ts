import { setImmediate as turn } from 'node:timers/promises'
import * as fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createAppServiceDialects } from '../../src/dialects/app-service.ts'
import { cloudShell } from '../../src/dialects/cloud-shell.ts'
import { imds } from '../../src/dialects/imds.ts'
import { Secret } from '../../src/secret.ts'
import { type Connection, openConnection, request } from '../fixtures/connection.ts'
import { aToken, parts } from '../fixtures/parts.ts'
import { serveParts } from '../fixtures/sidecar.ts'
import { fuzzRuns, mutated } from './mutations.ts'
import { fuzzedRequest } from './requests.ts'
import { repliesIn } from './replies.ts'

const TOKEN = 'eyJ.the-token-that-nobody-else-may-have'
const RIGHT = request(
  '/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https://vault.azure.net',
)

const given = parts({
  tokens: () => Promise.resolve(aToken(TOKEN)),
  dialects: [
    imds,
    cloudShell,
    ...createAppServiceDialects(new Secret('the-secret-of-app-service')),
  ],
})
let server: Awaited<ReturnType<typeof serveParts>>
let goodCaller: Connection
beforeAll(async () => {
  server = await serveParts(given)
  goodCaller = await openConnection(server.port)
})
afterAll(async () => {
  await goodCaller[Symbol.asyncDispose]()
  await server[Symbol.asyncDispose]()
})

/** Sends the bytes in pieces, says that no more come, and gives all that came back. */
async function answersTo(bytes: string, cuts: readonly number[]): Promise<string> {
  await using connection = await openConnection(server.port)
  const places = [...cuts.map((cut) => cut % (bytes.length + 1)), 0, bytes.length]
  places.sort((a, b) => a - b)
  for (const [index, place] of places.entries()) {
    connection.write(bytes.slice(place, places[index + 1] ?? place))
    await turn()
  }
  connection.end()
  return await connection.closed(5000)
}

async function expectGoodCallerServed(): Promise<void> {
  goodCaller.write(RIGHT)
  expect((await goodCaller.reply()).status).toBe(200)
}

const cuts = fc.array(fc.nat(100_000), { maxLength: 4 })
const tokensIn = (text: string) => text.split(TOKEN).length - 1

test('gives a token to right requests alone, of any that come one after another in any pieces', async () => {
  const seen = { right: 0, wrong: 0 }
  await fc.assert(
    fc.asyncProperty(
      fc.array(fuzzedRequest, { minLength: 1, maxLength: 3 }),
      cuts,
      async (requests, places) => {
        const received = await answersTo(requests.map(({ bytes }) => bytes).join(''), places)
        const replies = repliesIn(received)
        expect(replies.length).toBeLessThanOrEqual(2 * requests.length + 1)
        const verdicts = requests.map(({ verdict }) => verdict)
        const due = verdicts.findIndex((verdict) => verdict !== 'right')
        const mayHave = verdicts.filter((verdict) => verdict !== 'wrong').length
        expect(tokensIn(received)).toBeLessThanOrEqual(mayHave)
        expect(tokensIn(received)).toBeGreaterThanOrEqual(due < 0 ? requests.length : due)
        seen.right += verdicts.filter((verdict) => verdict === 'right').length
        seen.wrong += verdicts.filter((verdict) => verdict === 'wrong').length
        await expectGoodCallerServed()
      },
    ),
    fuzzRuns(500),
  )
  expect(seen.right).toBeGreaterThan(50)
  expect(seen.wrong).toBeGreaterThan(200)
})

const PIECES = [
  [
    '\r\n',
    '\r',
    '\n',
    '\r\n\r\n',
    '\0',
    '\xff',
    ' ',
    ':',
    '\t',
    '%',
    '%0d%0a',
    '?',
    '&',
    '#',
    '/../',
  ],
  ['HTTP/1.0', 'HTTP/1.1', 'GET ', 'POST ', 'Content-Length: 5\r\n', 'Metadata: true\r\n'],
  ['Transfer-Encoding: chunked\r\n', 'Host: evil.example\r\n', '4294967296', '-1', '1e9', RIGHT],
].flat()
const FORM = 'resource=https://vault.azure.net&client_id=11111111-1111-4111-8111-111111111111'
const STARTS = [
  RIGHT,
  request('/oauth2/token', {
    method: 'POST',
    headers: { 'Content-Length': String(FORM.length) },
    body: FORM,
  }),
  request('/msi/token?api-version=2019-08-01&resource=https://vault.azure.net', {
    headers: { 'X-IDENTITY-HEADER': 'the-secret-of-app-service' },
  }),
]

test('meets bytes that were right once with whole replies or none, and goes on', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...STARTS).chain((start) => mutated(start, PIECES)),
      cuts,
      async (bytes, places) => {
        const received = await answersTo(bytes, places)
        expect(repliesIn(received).length).toBeLessThanOrEqual(20)
        const proofs = bytes.match(/metadata:\s*true|the-secret-of-app-service/gi) ?? []
        expect(tokensIn(received)).toBeLessThanOrEqual(proofs.length)
        await expectGoodCallerServed()
      },
    ),
    fuzzRuns(500),
  )
})

test('has no fault of its own to report of any of it', () => {
  const faults = given.replies.filter(({ error }) => error?.code === 'internal')
  expect(faults).toEqual([])
  expect(given.replies.length).toBeGreaterThan(1000)
})
