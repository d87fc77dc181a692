import { writeFile } from 'node:fs/promises'
import { assert, asyncProperty, nat, uuid } from 'fast-check'
import { describe, expect, test } from 'vitest'
import { formatCrash } from '../../src/cli/crash.ts'
import { createSimulator } from '../../src/tools/simulator/simulator.ts'
import { request, roundTrip } from '../fixtures/connection.ts'
import { environmentOf, startServe } from '../fixtures/served.ts'
import { aCallersSecret, anAssertion, anEcho, aStray, aToken, findPiece } from './secrets.ts'
import { fetchEverythingShown } from './shown.ts'

const TOKEN = '/metadata/identity/oauth2/token?api-version=2018-02-01'
const APP_SERVICE = '/msi/token?api-version=2019-08-01'
const VAULT = 'resource=https%3A%2F%2Fvault.azure.net'
const IDENTITY_HEADER = 'c2hhcmVkLXNlY3JldC1vZi10aGUtYXBwLXNlcnZpY2UtZW5kcG9pbnQtaW4tYS10ZXN0'

/** The rate limit drops log lines of an event after ten, so a sidecar gets fewer requests than that. */
const RUNS = { numRuns: 9, endOnFailure: true }

/** Starts a simulator and a ready sidecar, which stays ready whatever happens to the projected token. */
async function start() {
  await using onFailure = new AsyncDisposableStack()
  const simulator = onFailure.use(await createSimulator())
  const sidecar = onFailure.use(
    await startServe({ ...environmentOf(simulator), WIMDS_IDENTITY_HEADER: IDENTITY_HEADER }),
  )
  await expect.poll(sidecar.log).toContain('"event":"ready"')
  const parts = onFailure.move()

  const shown = () => fetchEverythingShown(sidecar)
  const ask = (target: string, headers: Record<string, string | undefined> = {}) =>
    roundTrip(sidecar.port, request(target, { headers }))
  return { simulator, ask, shown, [Symbol.asyncDispose]: () => parts.disposeAsync() }
}

describe('a sidecar', () => {
  test('does not show a rejected assertion, however Entra ID repeats it', async () => {
    await using wimds = await start()
    const { simulator, ask, shown } = wimds
    await assert(
      asyncProperty(anAssertion, anEcho, uuid(), async (assertion, echo, clientId) => {
        await writeFile(simulator.tokenFile, assertion)
        // A retry for an earlier client id must not meet it.
        simulator.faults.set([{ ...echo(assertion), clientId }])
        const { status, body } = await ask(`${TOKEN}&${VAULT}&client_id=${clientId}`)
        expect(status).toBeGreaterThanOrEqual(400)
        expect(findPiece(assertion, body)).toBeUndefined()
        expect(findPiece(assertion, await shown())).toBeUndefined()
        expect(findPiece(assertion, formatCrash(new Error(`sent ${assertion}`)))).toBeUndefined()
      }),
      RUNS,
    )
  })

  test('does not show a token in an unexpected place of a response', async () => {
    await using wimds = await start()
    const { simulator, ask, shown } = wimds
    await assert(
      asyncProperty(aToken, aStray, uuid(), async (token, stray, clientId) => {
        simulator.faults.set([{ ...stray(token), clientId }])
        const { status, body } = await ask(`${TOKEN}&${VAULT}&client_id=${clientId}`)
        // The token of a valid response goes to the caller alone.
        expect(findPiece(token, body) === undefined).toBe(status !== 200)
        expect(findPiece(token, await shown())).toBeUndefined()
      }),
      RUNS,
    )
  })

  test('does not show credentials that callers put in the wrong place', async () => {
    await using wimds = await start()
    const { ask, shown } = wimds
    const places: ((secret: string) => Parameters<typeof ask>)[] = [
      (secret) => [`${TOKEN}&${VAULT}&access_token=${secret}`],
      (secret) => [`${TOKEN}&resource=https%3A%2F%2Fvault.azure.net%2F${secret}`],
      (secret) => [`${TOKEN}&${VAULT}&client_id=${secret}`],
      (secret) => [`${TOKEN}&${VAULT}&msi_res_id=${secret}`],
      (secret) => [`/metadata/${secret}?api-version=2018-02-01`],
      (secret) => [`${TOKEN}&${VAULT}`, { 'User-Agent': `app ${secret}`, 'x-client-SKU': secret }],
      (secret) => [`${APP_SERVICE}&${VAULT}`, { 'X-IDENTITY-HEADER': secret }],
      (secret) => [`${TOKEN}&${VAULT}`, { Metadata: secret, traceparent: `00-${secret}-01` }],
    ]
    await assert(
      asyncProperty(aCallersSecret, nat(places.length - 1), async (secret, place) => {
        const [target = '', headers = {}] = places[place]?.(secret) ?? []
        await ask(target, { Authorization: `Bearer ${secret}`, Cookie: secret, ...headers })
        expect(findPiece(secret, await shown())).toBeUndefined()
      }),
      RUNS,
    )
  })

  test('does not show its tokens and its shared secret', async () => {
    await using wimds = await start()
    const { ask, shown } = wimds
    const { status, body } = await ask(`${TOKEN}&${VAULT}`)
    expect(status).toBe(200)
    const { access_token: token }: { access_token: string } = JSON.parse(body)
    const app = await ask(`${APP_SERVICE}&${VAULT}`, {
      'X-IDENTITY-HEADER': IDENTITY_HEADER,
      Metadata: undefined,
    })
    expect(app.status).toBe(200)
    const text = await shown()
    expect(text).toContain('token_obtained')
    expect(findPiece(token, text)).toBeUndefined()
    expect(findPiece(IDENTITY_HEADER, text)).toBeUndefined()
  })
})
