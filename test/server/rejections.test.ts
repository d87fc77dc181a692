import { expect, test } from 'vitest'
import { createMetadataApp } from '../../src/server/app.ts'
import { parts } from '../fixtures/parts.ts'

const TOKEN_URL =
  '/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https://vault.azure.net'
const HEADERS = { host: '169.254.169.254', metadata: 'true' }
/** Without what a caller of IMDS would add. */
const HOST_ONLY = { host: '169.254.169.254', metadata: 'false' }

test.each([
  ['a Host of somebody else', { url: TOKEN_URL, headers: { host: 'evil.example' } }, 400],
  ['X-Forwarded-For', { url: TOKEN_URL, headers: { 'x-forwarded-for': '' } }, 400],
  ['an encoded slash', { url: TOKEN_URL.replace('/token', '%2ftoken') }, 400],
  ['a broken encoding', { url: '/metadata/%zz' }, 400],
  ['an unknown path', { url: '/metadata/attested/document?api-version=2018-10-01' }, 404],
  ['a path that only begins like ours', { url: TOKEN_URL.replace('token', 'tokens') }, 404],
  ['a path below ours', { url: TOKEN_URL.replace('token', 'token/x') }, 404],
  ['another root', { url: '/' }, 404],
  ['an IMDSv2 probe', { url: '/metadata/identity/getplatformmetadata', headers: HOST_ONLY }, 403],
  [
    'an IMDSv2 request',
    {
      method: 'POST' as const,
      url: '/metadata/identity/issuecredential?cred-api-version=2.0',
      headers: { ...HOST_ONLY, 'content-type': 'application/json' },
      payload: '{"csr":"x"}',
    },
    403,
  ],
  [
    'a body that is too large',
    { method: 'POST' as const, url: '/x', payload: 'x'.repeat(70_000) },
    413,
  ],
])('refuses %s in JSON, without asking for a token', async (_, sent, status) => {
  const given = parts()
  await using app = createMetadataApp(given)
  const request = { ...sent, headers: { ...HEADERS, ...('headers' in sent && sent.headers) } }
  const reply = await app.inject(request)
  expect(reply.statusCode).toBe(status)
  expect(reply.headers).toMatchObject({
    'content-type': 'application/json; charset=utf-8',
    'content-length': String(reply.body.length),
  })
  expect(reply.json()).toHaveProperty('error')
  expect(given.asked).toEqual([])
  expect(given.replies).toMatchObject([{ status }])
})

test.each(['POST', 'PUT', 'DELETE', 'PATCH', 'HEAD', 'OPTIONS'] as const)(
  'refuses %s on the token endpoint and says what is allowed',
  async (method) => {
    const given = parts()
    await using app = createMetadataApp(given)
    const reply = await app.inject({ method, url: TOKEN_URL, headers: HEADERS })
    expect(reply.statusCode).toBe(405)
    expect(reply.headers['allow']).toBe('GET')
    expect(given.asked).toEqual([])
  },
)
