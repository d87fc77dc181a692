import { execFileSync } from 'node:child_process'
import { mkdir, mkdtemp, rm, symlink, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createAssertionReader, hasUnexpectedAudience } from '../../src/exchange/assertion.ts'
import { MAX_TOKEN_BYTES, readTokenFile } from '../../src/exchange/token-file.ts'

const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
const CLAIMS = {
  iss: 'https://issuer.test/',
  sub: 'system:serviceaccount:shop:orders',
  aud: ['api://AzureADTokenExchange'],
  exp: 1_800_003_600,
  iat: 1_800_000_000,
}
const jwt = (claims: unknown) => `${part({ alg: 'RS256', kid: 'k' })}.${part(claims)}.c2ln`

let directory: string
let path: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'wimds-assertion-'))
  path = join(directory, 'token')
})
afterEach(() => rm(directory, { recursive: true }))

test('reads the token and the claims that explain it, blanks around it or not', async () => {
  await writeFile(path, `\uFEFF ${jwt(CLAIMS)}\n`)
  const assertion = await createAssertionReader()(path)
  expect(assertion).toMatchObject({
    issuer: CLAIMS.iss,
    subject: CLAIMS.sub,
    audience: CLAIMS.aud,
    expiresAt: 1_800_003_600_000,
    issuedAt: 1_800_000_000_000,
  })
  expect(assertion.secret.reveal()).toBe(jwt(CLAIMS))
})

test('takes an expired token as it is: the local clock has no veto', async () => {
  await writeFile(path, jwt({ ...CLAIMS, exp: 1 }))
  expect((await createAssertionReader()(path)).expiresAt).toBe(1000)
})

describe('each thing that can be wrong has a code of its own, and says what to do', () => {
  test.each<[string, string, () => Promise<unknown>, RegExp]>([
    ['absent', 'assertion_missing', () => Promise.resolve(), /mount a projected/u],
    [
      'behind a link to nothing',
      'assertion_missing',
      () => symlink('..data/token', path),
      /mount a projected/u,
    ],
    ['empty', 'assertion_empty', () => writeFile(path, ' \n'), /kubelet/u],
    ['a directory', 'assertion_unreadable', () => mkdir(path), /check that it is a file/u],
    [
      'a pipe that nobody writes to',
      'assertion_unreadable',
      async () => execFileSync('mkfifo', [path]),
      /check that it is a file/u,
    ],
    [
      'a device without an end',
      'assertion_unreadable',
      () => symlink('/dev/zero', path),
      /check that it is a file/u,
    ],
    ['not a JWT', 'assertion_malformed', () => writeFile(path, 'password'), /projected token/u],
    [
      'a JWT with something behind it',
      'assertion_malformed',
      () => writeFile(path, `${jwt(CLAIMS)}\n${jwt(CLAIMS)}`),
      /projected token/u,
    ],
    [
      'a JWT without a subject',
      'assertion_malformed',
      () => writeFile(path, jwt({ ...CLAIMS, sub: undefined })),
      /iss, sub, aud and exp/u,
    ],
    [
      'a JWT that expires at no time of the calendar',
      'assertion_malformed',
      () => writeFile(path, jwt({ ...CLAIMS, exp: 1e300 })),
      /iss, sub, aud and exp/u,
    ],
    [
      'a JWT that was issued at no time of the calendar',
      'assertion_malformed',
      () => writeFile(path, jwt({ ...CLAIMS, iat: -1e20 })),
      /iss, sub, aud and exp/u,
    ],
    ['cut off', 'assertion_malformed', () => writeFile(path, jwt(CLAIMS).slice(0, 60)), /JWT/u],
  ])('%s: %s', async (_, code, prepare, remedy) => {
    await prepare()
    await expect(createAssertionReader()(path)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(remedy),
    })
  })

  test('not readable: assertion_unreadable', async () => {
    const refused = Object.assign(new Error('permission denied'), { code: 'EACCES' })
    const read = createAssertionReader({ readFile: () => Promise.reject(refused) })
    await expect(read(path)).rejects.toMatchObject({
      code: 'assertion_unreadable',
      message: expect.stringMatching(/EACCES.*user may read it/u),
    })
  })

  test('of another audience than WIMDS_AUDIENCE expects: assertion_audience', async () => {
    await writeFile(path, jwt({ ...CLAIMS, aud: 'https://kubernetes.default.svc' }))
    const read = createAssertionReader({ audience: 'api://AzureADTokenExchange' })
    await expect(read(path)).rejects.toMatchObject({
      code: 'assertion_audience',
      message: expect.stringContaining('change the audience of the projected volume'),
    })
    await writeFile(path, jwt(CLAIMS))
    await expect(read(path)).resolves.toMatchObject({ audience: CLAIMS.aud })
  })
})

test('nothing of a wrong file gets into the error', async () => {
  await writeFile(path, 'hunter2-hunter2')
  await expect(createAssertionReader()(path)).rejects.not.toMatchObject({
    message: expect.stringContaining('hunter2'),
  })
})

test('of a huge file no more is read than shows that it is too long', async () => {
  await writeFile(path, '')
  await truncate(path, 64 * 1024 ** 3)
  expect(await readTokenFile(path)).toHaveLength(MAX_TOKEN_BYTES + 1)
  await expect(createAssertionReader()(path)).rejects.toMatchObject({ code: 'assertion_malformed' })
})

test.each([
  [['api://AzureADTokenExchange'], false],
  [['api://AzureADTokenExchangeChina'], false],
  [['api://AzureADTokenExchange', 'another'], true],
  [['https://kubernetes.default.svc'], true],
  [[], true],
])('the audience %j is worth a warning: %s', (audience, expected) => {
  expect(hasUnexpectedAudience({ audience })).toBe(expected)
})
