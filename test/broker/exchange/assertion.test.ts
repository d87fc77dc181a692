import { mkdir, truncate, writeFile } from 'node:fs/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createAssertionReader } from '../../../src/broker/exchange/assertion.ts'
import { type ErrorCode, toBrokerError } from '../../../src/lib/errors.ts'
import { createFolder, type Folder } from '../../fixtures/folder.ts'

const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
const CLAIMS = {
  iss: 'https://issuer.test/',
  sub: 'system:serviceaccount:shop:orders',
  aud: ['api://AzureADTokenExchange'],
  // This token has expired by the clock of this machine, which may be wrong: Entra ID decides.
  exp: 1_700_003_600,
}
const jwt = (claims: unknown) => `${part({ alg: 'RS256', kid: 'k' })}.${part(claims)}.c2ln`
const written = (text: string) => () => writeFile(path, text)
const writtenWith = (claims: object) => written(jwt({ ...CLAIMS, ...claims }))

let directory: Folder
let path: string
beforeEach(() => {
  directory = createFolder()
  path = directory.file('token')
})
afterEach(() => directory[Symbol.dispose]())

test('reads the token and its claims, and trims white space', async () => {
  await writeFile(path, `\uFEFF ${jwt(CLAIMS)}\n`)
  const assertion = await createAssertionReader()(path)
  expect(assertion).toMatchObject({
    issuer: CLAIMS.iss,
    subject: CLAIMS.sub,
    audience: CLAIMS.aud,
    expiresAt: 1_700_003_600_000,
  })
  expect(assertion.secret.reveal()).toBe(jwt(CLAIMS))
})

test('callers share a read of a file that hangs, and other files are read at the same time', async () => {
  const reads: string[] = []
  const hung = Promise.withResolvers<string>()
  const read = createAssertionReader({
    readFile: (file) => {
      reads.push(file)
      return file === 'hung' ? hung.promise : Promise.resolve(jwt(CLAIMS))
    },
  })
  const waiting = [read('hung'), read('hung')]
  expect((await read('other')).subject).toBe(CLAIMS.sub)
  hung.resolve(jwt(CLAIMS))
  await Promise.all(waiting)
  await read('hung')
  expect(reads).toEqual(['hung', 'other', 'hung'])
})

test('reads a file again that is rewritten in place', async () => {
  const texts = ['', jwt(CLAIMS)]
  const read = createAssertionReader({ readFile: () => Promise.resolve(texts.shift() ?? '') })
  expect((await read(path)).secret.reveal()).toBe(jwt(CLAIMS))
})

describe('fails with a code and a fix when the file is', () => {
  test.each<[string, ErrorCode, () => unknown]>([
    ['absent', 'assertion_missing', () => {}],
    ['empty', 'assertion_empty', written(' \n')],
    ['a directory', 'assertion_unreadable', () => mkdir(path)],
    ['not a JWT', 'assertion_malformed', written('hunter2')],
    ['without a subject', 'assertion_malformed', writtenWith({ sub: undefined })],
    ['with an exp that is not a date', 'assertion_malformed', writtenWith({ exp: 1e300 })],
    ['huge', 'assertion_malformed', () => written('')().then(() => truncate(path, 64 * 1024 ** 3))],
  ])('%s: %s', async (_, code, prepare) => {
    await prepare()
    const error = await createAssertionReader()(path).catch(toBrokerError)
    expect(error).toMatchObject({ code, fix: expect.any(String) })
    expect(JSON.stringify(error)).not.toContain('hunter2')
  })

  test.each([
    ['EACCES', 'let the user of the sidecar read it'],
    ['ERR_ACCESS_DENIED', 'below /var/run/secrets'],
  ])('unreadable because of %s: assertion_unreadable', async (code, fix) => {
    const denied = Object.assign(new Error('no'), { code })
    const read = createAssertionReader({ readFile: () => Promise.reject(denied) })
    await expect(read(path)).rejects.toMatchObject({
      code: 'assertion_unreadable',
      fix: expect.stringContaining(fix),
    })
  })
})

describe('a Kubernetes API token', () => {
  test.each([
    [['https://kubernetes.default.svc']],
    [['kubernetes']],
    [['"shop.hcp.westeurope.azmk8s.io"']],
    [['api://AzureADTokenExchange', 'https://issuer.test']],
  ])('with the audience %j is rejected', async (aud) => {
    await writeFile(path, jwt({ ...CLAIMS, aud }))
    await expect(createAssertionReader()(path)).rejects.toMatchObject({
      code: 'assertion_audience',
      problem: expect.stringContaining('credential for the Kubernetes API'),
      fix: expect.any(String),
    })
  })
})

const API = 'https://kubernetes.default.svc'
const REFUSED = { code: 'assertion_audience' }
test.each([
  ['for the Kubernetes API that names its audience', API, [API], { audience: [API] }],
  ['for the Kubernetes API that names another one', 'api://other', [API, 'api://other'], REFUSED],
  ['with another audience', 'api://other', CLAIMS.aud, REFUSED],
])('WIMDS_AUDIENCE decides whether a token %s is accepted', async (_, audience, aud, expected) => {
  await writeFile(path, jwt({ ...CLAIMS, aud }))
  const read = createAssertionReader({ audience })
  expect(await read(path).catch(toBrokerError)).toMatchObject(expected)
})
