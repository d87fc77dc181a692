import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import * as fc from 'fast-check'
import { afterAll, expect, test } from 'vitest'
import { createAppServiceDialects } from '../../src/broker/dialects/app-service.ts'
import { cloudShell } from '../../src/broker/dialects/cloud-shell.ts'
import { imds } from '../../src/broker/dialects/imds.ts'
import { Secret } from '../../src/lib/secret.ts'
import { openConnection, request } from '../fixtures/connection.ts'
import { aToken, parts } from '../fixtures/parts.ts'
import { serveParts } from '../fixtures/sidecar.ts'
import { fuzzRuns } from './mutations.ts'
import { fuzzedRequest } from './requests.ts'

const TOKEN = 'eyJ.the-token-that-nobody-else-may-have'
const VALID = request(
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
const server = await serveParts(given)
afterAll(() => server[Symbol.asyncDispose]())
const validCaller = await openConnection(server.port)
afterAll(() => validCaller[Symbol.asyncDispose]())

/** Sends the bytes in pieces, ends the sending side, and returns everything received. */
async function exchange(bytes: string, cuts: readonly number[]): Promise<string> {
  await using connection = await openConnection(server.port)
  const places = [...cuts.map((cut) => cut % (bytes.length + 1)), 0, bytes.length]
  places.sort((a, b) => a - b)
  for (const [index, place] of places.entries()) {
    connection.write(bytes.slice(place, places[index + 1] ?? place))
    await nextTurn()
  }
  // Node closes a connection whose sending side has ended, also before the replies to pipelined requests.
  for (let turn = 0; turn < 30; turn += 1) await nextTurn()
  connection.end()
  return await connection.closed()
}

async function expectValidCallerServed(): Promise<void> {
  validCaller.write(VALID)
  expect((await validCaller.reply()).status).toBe(200)
}

const cuts = fc.array(fc.nat(100_000), { maxLength: 4 })
const countTokens = (text: string) => text.split(TOKEN).length - 1

test('returns a token to valid requests only, in any sequence and in any pieces', async () => {
  const seen = { valid: 0, invalid: 0 }
  await fc.assert(
    fc.asyncProperty(
      fc.array(fuzzedRequest, { minLength: 1, maxLength: 3 }),
      cuts,
      async (requests, places) => {
        const received = await exchange(requests.map(({ bytes }) => bytes).join(''), places)
        const verdicts = requests.map(({ verdict }) => verdict)
        const allowed = verdicts.filter((verdict) => verdict !== 'invalid').length
        expect(countTokens(received)).toBeLessThanOrEqual(allowed)
        // A further request closes the connection unless the reply to the first is written.
        const required = verdicts.join() === 'valid' ? 1 : 0
        expect(countTokens(received)).toBeGreaterThanOrEqual(required)
        seen.valid += verdicts.filter((verdict) => verdict === 'valid').length
        seen.invalid += verdicts.filter((verdict) => verdict === 'invalid').length
        await expectValidCallerServed()
      },
    ),
    fuzzRuns(100),
  )
  expect(seen.valid).toBeGreaterThan(10)
  expect(seen.invalid).toBeGreaterThan(40)
})

test('outlives callers that reset the connection, whatever they sent', async () => {
  await fc.assert(
    fc.asyncProperty(fuzzedRequest, fc.nat(8), async ({ bytes }, waitMs) => {
      await using connection = await openConnection(server.port)
      connection.pause()
      connection.write(bytes)
      await sleep(waitMs)
      connection.reset()
    }),
    fuzzRuns(60),
  )
  validCaller.write(VALID)
  expect((await validCaller.reply()).status).toBe(200)
})

test('reports no internal error for any of them', () => {
  const internal = given.replies.filter(({ error }) => error?.code === 'internal')
  expect(internal).toEqual([])
  expect(given.replies.length).toBeGreaterThan(100)
})
