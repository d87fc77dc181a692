/** Azure Arc's challenge: who can read the key directory, and only who, gets a token. */
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, extname, join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { arc } from '../../src/dialects/arc.ts'
import { type ArcKeys, arcKeys } from '../../src/dialects/arc-keys.ts'
import { metadataServer } from '../../src/server/app.ts'
import { BILLING, ORDERS, parts } from '../fixtures/parts.ts'

const URL =
  '/metadata/identity/oauth2/token?api-version=2020-06-01&resource=https://vault.azure.net'
const HEADERS = { host: 'localhost:40342', metadata: 'true' }

let directory: string
let keys: ArcKeys
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'wimds-arc-'))
  keys = arcKeys({ directory })
})
afterEach(async () => {
  vi.useRealTimers()
  await keys.close()
  await rm(directory, { recursive: true })
})

async function ask(headers: Record<string, string> = {}, url = URL, given = partsOf(keys)) {
  await using app = metadataServer(given)
  return await app.inject({ url, headers: { ...HEADERS, ...headers } })
}

function partsOf(arcKeysInUse: ArcKeys) {
  return parts({ dialects: [arc(arcKeysInUse)] })
}

/** The path that a challenge names. */
async function challenged(): Promise<string> {
  const reply = await ask()
  expect(reply.statusCode).toBe(401)
  const [, path = ''] = /^Basic realm=(.+)$/.exec(String(reply.headers['www-authenticate'])) ?? []
  return path
}

const authorization = async (path: string) => ({
  authorization: `Basic ${await readFile(path, 'utf8')}`,
})

test('asks for the content of a file that only local readers have', async () => {
  const given = partsOf(keys)
  const reply = await ask({}, URL, given)
  expect(reply.statusCode).toBe(401)
  expect(given.asked).toEqual([])
  const path = await challenged()
  expect(dirname(path)).toBe(directory)
  expect(extname(path)).toBe('.key')
  const { mode, size } = await stat(path)
  expect(mode & 0o777).toBe(0o440)
  expect(size).toBeLessThanOrEqual(4096)
  expect(size).toBeGreaterThanOrEqual(43)
})

test('answers as IMDS does who shows that content', async () => {
  const reply = await ask(await authorization(await challenged()))
  expect(reply.statusCode).toBe(200)
  expect(reply.json()).toMatchObject({ access_token: 'eyJ.a-token', client_id: ORDERS.clientId })
})

test('takes a key once, and removes its file', async () => {
  const path = await challenged()
  const headers = await authorization(path)
  expect((await ask(headers)).statusCode).toBe(200)
  expect((await ask(headers)).statusCode).toBe(401)
  await expect.poll(() => readdir(directory)).not.toContain(path.slice(directory.length + 1))
})

test.each(['Basic guess', 'Bearer x', 'Basic', ''])('challenges %j anew', async (text) => {
  expect((await ask({ authorization: text })).statusCode).toBe(401)
})

test('forgets a key that nobody used in time, and its file', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  const headers = await authorization(await challenged())
  vi.advanceTimersByTime(60_000)
  vi.useRealTimers()
  expect((await ask(headers)).statusCode).toBe(401)
  await expect.poll(() => readdir(directory)).toHaveLength(1)
})

test('keeps a bounded number of keys, whoever floods it with challenges', async () => {
  const few = arcKeys({ directory, max: 3 })
  const paths: string[] = []
  for (let count = 0; count < 5; count += 1) paths.push(await few.issue())
  await expect
    .poll(async () => (await readdir(directory)).toSorted())
    .toEqual(
      paths
        .slice(2)
        .map((path) => path.slice(directory.length + 1))
        .toSorted(),
    )
  await few.close()
  expect(await readdir(directory)).toEqual([])
})

test.each([
  [`client_id=${BILLING.clientId}`, { client_id: BILLING.clientId }],
  [`object_id=${BILLING.objectId}`, { object_id: BILLING.objectId, client_id: BILLING.clientId }],
  [`msi_res_id=${ORDERS.resourceId}`, { msi_res_id: ORDERS.resourceId }],
])('repeats %s, without which new clients refuse the token', async (selector, members) => {
  const reply = await ask(await authorization(await challenged()), `${URL}&${selector}`)
  expect(reply.statusCode).toBe(200)
  expect(reply.json()).toMatchObject(members)
})

test.each([
  ['no Metadata header', URL, { metadata: 'false' }],
  ['no resource', '/metadata/identity/oauth2/token?api-version=2020-06-01', {}],
])('refuses %s before it makes a key', async (_, url, headers) => {
  const reply = await ask(headers, url)
  expect(reply.statusCode).toBe(400)
  expect(reply.json()).toMatchObject({ error: 'invalid_request' })
  expect(await readdir(directory)).toEqual([])
})

test('says nothing of the disk when no key can be written', async () => {
  const reply = await ask({}, URL, partsOf(arcKeys({ directory: '/nonexistent/tokens' })))
  expect(reply.statusCode).toBe(500)
  expect(reply.body).not.toContain('/nonexistent')
})
