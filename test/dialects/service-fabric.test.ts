/** Service Fabric: a secret in place of the Metadata header, and error words of its own. */
import { expect, test } from 'vitest'
import { serviceFabric } from '../../src/dialects/service-fabric.ts'
import { metadataServer } from '../../src/server/app.ts'
import { Secret } from '../../src/secret.ts'
import { BILLING, parts } from '../fixtures/parts.ts'

const SECRET = 'b5f7a1c0-5c1e-4a52-9d3f-3c1f0c3a8d11'
const PATH = '/metadata/identity/oauth2/token'
const RIGHT = `${PATH}?api-version=2019-07-01-preview&resource=https://vault.azure.net`

async function ask(url: string, headers: Record<string, string> = { secret: SECRET }) {
  const given = parts({ dialects: [serviceFabric(new Secret(SECRET))] })
  await using app = metadataServer(given)
  const reply = await app.inject({ url, headers: { host: 'localhost:2377', ...headers } })
  return { reply, asked: given.asked }
}

test.each(['2019-07-01-preview', '2020-05-01'])('answers api-version %s', async (version) => {
  const { reply } = await ask(RIGHT.replace('2019-07-01-preview', version))
  expect(reply.statusCode).toBe(200)
  expect(reply.json()).toMatchObject({ access_token: 'eyJ.a-token', token_type: 'Bearer' })
})

test.each([`principalId=${BILLING.objectId}`, `client_id=${BILLING.clientId}`])(
  'selects by %s',
  async (selector) => {
    const { asked } = await ask(`${RIGHT}&${selector}`)
    expect(asked.map(({ identity }) => identity.name)).toEqual(['billing'])
  },
)

test('passes on which token a resource refused, and ignores capabilities', async () => {
  const sha256 = 'AB'.repeat(32)
  const { asked } = await ask(`${RIGHT}&xms_cc=cp1&token_sha256_to_refresh=${sha256}`)
  expect(asked).toMatchObject([{ refusedTokenSha256: sha256.toLowerCase() }])
  expect(asked[0]).not.toHaveProperty('claims')
})

test.each([
  ['no secret', RIGHT, {}, 'SecretHeaderNotFound'],
  ['a wrong secret', RIGHT, { secret: 'guess' }, 'SecretHeaderNotFound'],
  ['no resource', `${PATH}?api-version=2020-05-01`, undefined, 'ArgumentNullOrEmpty'],
  ['an old version', `${PATH}?api-version=2018-02-01&resource=x`, undefined, 'InvalidApiVersion'],
  [
    'an identity it has not',
    `${RIGHT}&client_id=99999999-9999-4999-8999-999999999999`,
    undefined,
    'ManagedIdentityNotFound',
  ],
])('refuses %s in the service’s words', async (_, url, headers, code) => {
  const { reply, asked } = await ask(url, headers)
  expect(reply.statusCode).toBe(400)
  expect(reply.json()).toEqual({
    error: { code, message: expect.any(String), correlationId: expect.any(String) },
  })
  expect(asked).toEqual([])
})
