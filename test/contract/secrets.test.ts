/** No credential appears in the log, on a page or in the reply to another caller, from whatever input it comes. */
import { randomBytes, randomUUID } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { createServer, type Socket } from 'node:net'
import { expect, test } from 'vitest'
import { createSimulator } from '../../src/tools/simulator/simulator.ts'
import type { FaultInput } from '../../src/tools/simulator/faults/faults.ts'
import { request, roundTrip } from '../fixtures/connection.ts'
import { listening } from '../fixtures/listening.ts'
import { environmentOf, startServe } from '../fixtures/served.ts'
import { fetchEverythingShown, findPiece } from './secrets.ts'

const TOKEN = '/metadata/identity/oauth2/token?api-version=2021-02-01'
const APP_SERVICE = '/msi/token?api-version=2019-08-01'
const VAULT = 'resource=https%3A%2F%2Fvault.azure.net'

const aSecret = (bytes = 32) => randomBytes(bytes).toString('base64url')
const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')

/** Returns a JWT with the claims of a projected token and an invalid signature. */
function aJwt(): string {
  const claims = {
    iss: 'https://issuer.test',
    sub: 'system:serviceaccount:shop:orders',
    aud: 'api://AzureADTokenExchange',
    exp: Math.floor(Date.now() / 1000) + 3600,
    note: aSecret(60),
  }
  return `${part({ alg: 'RS256', kid: 'unknown' })}.${part(claims)}.${aSecret(256)}`
}

/** Starts a simulator and a ready sidecar, which stays ready whatever happens to the projected token. */
async function start(env: Readonly<Record<string, string>> = {}) {
  await using onFailure = new AsyncDisposableStack()
  const simulator = onFailure.use(await createSimulator())
  const sidecar = onFailure.use(await startServe({ ...environmentOf(simulator), ...env }))
  await expect.poll(sidecar.log).toContain('"event":"ready"')
  const parts = onFailure.move()
  return {
    simulator,
    shown: () => fetchEverythingShown(sidecar),
    ask: (target: string, headers: Record<string, string | undefined> = {}) =>
      roundTrip(sidecar.port, request(target, { headers })),
    [Symbol.asyncDispose]: () => parts.disposeAsync(),
  }
}

type Echo = (secret: string) => FaultInput

const json = (status: number, body: unknown, headers: Record<string, string> = {}): FaultInput => ({
  kind: 'status',
  status,
  body: JSON.stringify(body),
  contentType: 'application/json; charset=utf-8',
  headers,
})

const text = (status: number, body: string): FaultInput => ({ kind: 'status', status, body })

const rejected = (description: string, more: Readonly<Record<string, string>> = {}) =>
  json(400, {
    error: 'invalid_client',
    error_description: `AADSTS50027: ${description}`,
    error_codes: [50_027],
    ...more,
  })

/** Responses that repeat a secret. */
const ECHOES: readonly Echo[] = [
  (secret) =>
    rejected(`JWT token is invalid: ${secret}. Trace ID: x`, {
      error: secret,
      trace_id: secret,
      correlation_id: secret,
      suberror: secret,
      claims: secret,
    }),
  (secret) => json(200, { token_type: 'Bearer', expires_in: secret, access_token: secret }),
  (secret) => text(200, `<html>you sent client_assertion=${secret}</html>`),
  (secret) => text(502, `${'x'.repeat(150)} ${secret}`),
  (secret) => json(503, { error: 'temporarily_unavailable' }, { 'x-ms-request-id': secret }),
  (secret) => json(429, {}, { 'retry-after': secret }),
  (secret) => ({
    kind: 'status',
    status: 307,
    headers: { location: `https://elsewhere.test/?assertion=${secret}` },
  }),
]

/** Responses that repeat a piece of the assertion which is too short to be recognized as a credential. */
const ECHOES_OF_PIECES: readonly Echo[] = [
  (secret) =>
    rejected(`invalid at ‘${secret.slice(40, 70)}’, near “${secret.slice(-40)}”`, {
      trace_id: secret.slice(60, 96),
      correlation_id: secret.slice(96, 132),
    }),
  (secret) => text(502, `cannot pass ${secret.slice(33, 73)} on: ${secret.slice(-30)}`),
  (secret) => text(500, `${'x '.repeat(80)}${secret.slice(0, 60)}`),
]

/** Files that are no projected token: half of one, one with a blank, two in a row, and a random secret. */
const MALFORMED: readonly ((jwt: string) => string)[] = [
  (jwt) => jwt.slice(0, jwt.length / 2),
  (jwt) => jwt.replace('.', ' .'),
  (jwt) => `${jwt}.${jwt}`,
  () => aSecret(200),
]

// The rate limit drops the lines of an event after the tenth, so a sidecar gets at most ten requests.
test.each([
  ['whole', ECHOES],
  ['in pieces', ECHOES_OF_PIECES],
])('an assertion is not shown when Entra ID repeats it %s', async (_, echoes) => {
  await using wimds = await start()
  const assertion = aJwt()
  await writeFile(wimds.simulator.tokenFile, assertion)
  for (const { status, body } of await askForEach(wimds, echoes, () => assertion)) {
    expect(status).toBeGreaterThanOrEqual(400)
    expect(findPiece(assertion, body)).toBeUndefined()
  }
  expect(findPiece(assertion, await wimds.shown())).toBeUndefined()
})

/** Requests a token of another client id for each echo, which Entra ID answers with. Returns the replies. */
function askForEach(
  { simulator, ask }: Awaited<ReturnType<typeof start>>,
  echoes: readonly Echo[],
  choose: (index: number) => string,
) {
  const faults = echoes.map((echo, index) => ({ ...echo(choose(index)), clientId: randomUUID() }))
  simulator.faults.set(faults)
  return Promise.all(faults.map(({ clientId }) => ask(`${TOKEN}&${VAULT}&client_id=${clientId}`)))
}

test('a projected token that is none is not shown', async () => {
  await using wimds = await start()
  for (const spoil of MALFORMED) {
    const token = spoil(aJwt())
    await writeFile(wimds.simulator.tokenFile, token)
    const { status, body } = await wimds.ask(`${TOKEN}&${VAULT}&client_id=${randomUUID()}`)
    expect(status).toBeGreaterThanOrEqual(400)
    expect(findPiece(token, `${body}\n${await wimds.shown()}`)).toBeUndefined()
  }
})

/** Responses with a token in an unexpected place. */
const STRAYS: readonly Echo[] = [
  (token) => json(200, { token_type: 'Bearer', expires_in: 'soon', access_token: token }),
  (token) => json(200, { access_token: { inner: token } }),
  (token) => text(200, `{"token_type":"Bearer","expires_in":3599,"access_token":"${token}`),
  (token) => text(200, `HTTP/1.1 200 OK\r\nSet-Cookie: session=${token}\r\n\r\n`),
  (token) => text(503, `${'x '.repeat(75)}${token}`),
]

test('a token in an unexpected place of a response is not shown', async () => {
  await using wimds = await start()
  const tokens = STRAYS.map(() => aSecret(200))
  const replies = await askForEach(wimds, STRAYS, (index) => tokens[index] ?? '')
  const shown = [...replies.map(({ body }) => body), await wimds.shown()].join('\n')
  for (const token of tokens) expect(findPiece(token, shown)).toBeUndefined()
})

test('credentials that callers put in the wrong place, tokens and the shared secret are not shown', async () => {
  const identityHeader = aSecret()
  await using wimds = await start({ WIMDS_IDENTITY_HEADER: identityHeader })
  const { ask, shown } = wimds
  const places: ((secret: string) => Parameters<typeof ask>)[] = [
    (secret) => [`${TOKEN}&${VAULT}&access_token=${secret}`],
    (secret) => [`${TOKEN}&resource=https%3A%2F%2Fvault.azure.net%2F${secret}`],
    (secret) => [`${TOKEN}&${VAULT}&client_id=${secret}`],
    (secret) => [`${TOKEN}&${VAULT}&msi_res_id=${secret}`],
    (secret) => [`/metadata/${secret}?api-version=2018-02-01`],
    (secret) => [`${APP_SERVICE}&${VAULT}`, { 'X-IDENTITY-HEADER': secret }],
    (secret) => [`${TOKEN}&${VAULT}`, { Metadata: secret, traceparent: `00-${secret}-01` }],
  ]
  for (const [index, place] of places.entries()) {
    const secret = index % 2 === 0 ? aJwt() : aSecret(64)
    const [target, headers] = place(secret)
    const everywhere = { Authorization: `Bearer ${secret}`, Cookie: secret, 'User-Agent': secret }
    await ask(target, { ...everywhere, 'x-client-SKU': secret, ...headers })
    expect(findPiece(secret, await shown())).toBeUndefined()
  }
  const { body } = await ask(`${TOKEN}&${VAULT}`)
  const { access_token: token }: { access_token: string } = JSON.parse(body)
  const app = await ask(`${APP_SERVICE}&${VAULT}`, { 'X-IDENTITY-HEADER': identityHeader })
  expect(app.status).toBe(200)
  const everything = await shown()
  expect(everything).toContain('token_obtained')
  expect(findPiece(token, everything)).toBeUndefined()
  expect(findPiece(identityHeader, everything)).toBeUndefined()
})

test('the password of an HTTP proxy is not shown when the proxy repeats it', async () => {
  const password = aSecret()
  const basic = Buffer.from(`user:${password}`).toString('base64')
  const received: string[] = []
  const server = createServer((socket: Socket) => {
    socket.on('error', () => {})
    socket.once('data', (bytes) => {
      const sent = /basic (\S+)/i.exec(bytes.toString())?.[1] ?? ''
      received.push(sent)
      socket.end(`HTTP/1.1 407 ${sent}\r\nX: ${sent}\r\n\r\n${sent}`)
    })
  })
  await using proxy = await listening(server)
  await using wimds = await start({
    AZURE_AUTHORITY_HOST: 'https://login.microsoftonline.com',
    HTTPS_PROXY: `http://user:${password}@127.0.0.1:${proxy.port}`,
  })
  const { status, body } = await wimds.ask(`${TOKEN}&${VAULT}`)
  expect(status).toBeGreaterThanOrEqual(500)
  expect(received.join()).toContain(basic)
  const shown = `${body}\n${await wimds.shown()}`
  expect(shown).toContain('exchange_failed')
  expect(findPiece(password, shown)).toBeUndefined()
  expect(findPiece(basic, shown)).toBeUndefined()
})
