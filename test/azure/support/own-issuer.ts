/** An issuer with a key of its own, for tokens that no cluster signs. A storage account publishes its documents. */
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose'
import type { Folder } from '../../fixtures/folder.ts'
import { AUDIENCE } from './exchanges.ts'
import type { Reader } from './reader.ts'

export const SUBJECT = 'wimds-test'
const KEY_ID = 'wimds-test'

/** The paths of the issuers, with the unusual members of their discovery documents. */
const ISSUERS = {
  usual: {},
  'empty-endpoint': { authorization_endpoint: '' },
  'no-endpoint': { authorization_endpoint: undefined },
  'empty-subject-types': { subject_types_supported: [] },
} as const
export const ISSUER_NAMES = Object.keys(ISSUERS)

const PUBLISH = `
export STORE=wimdstest$(openssl rand -hex 6)
az provider register --namespace Microsoft.Storage --wait
az storage account create --resource-group "$GROUP" --name "$STORE" --kind StorageV2 --sku Standard_LRS --min-tls-version TLS1_2 --output none
az storage blob service-properties update --account-name "$STORE" --static-website --output none
az storage account show --resource-group "$GROUP" --name "$STORE" --query primaryEndpoints.web --output tsv`

/** Creates the account and publishes the documents of each issuer. */
export async function publishIssuer({ shell }: Reader, folder: Folder) {
  const { publicKey, privateKey } = await generateKeyPair('RS256')
  const base = (await shell(PUBLISH)).trim().replace(/\/$/, '')
  const keys = {
    keys: [{ ...(await exportJWK(publicKey)), kid: KEY_ID, alg: 'RS256', use: 'sig' }],
  }
  const url = (name: string) => `${base}/${name}`
  const files = [
    ['keys.json', keys] as const,
    ...Object.entries(ISSUERS).map(([name, changes]) => {
      const document = {
        issuer: url(name),
        jwks_uri: url('keys.json'),
        authorization_endpoint: 'urn:wimds:none',
        response_types_supported: ['id_token'],
        subject_types_supported: ['public'],
        id_token_signing_alg_values_supported: ['RS256'],
        ...changes,
      }
      return [`${name}/.well-known/openid-configuration`, document] as const
    }),
  ]
  for (const [name, content] of files) {
    const path = folder.write(`issuer/${name}`, content)
    await shell(`az storage blob upload --account-name "$STORE" --container-name '$web' --overwrite \\
      --file '${path}' --name '${name}' --content-type application/json --output none`)
  }
  return {
    url,
    /** Signs a token of one of the issuers, valid from a minute ago for ten minutes unless the claims say otherwise. */
    async sign(name: string, claims: JWTPayload = {}): Promise<string> {
      const now = Math.floor(Date.now() / 1000)
      const usual = { iss: url(name), sub: SUBJECT, aud: AUDIENCE, iat: now - 60, exp: now + 600 }
      return await new SignJWT({ ...usual, nbf: now - 60, ...claims })
        .setProtectedHeader({ alg: 'RS256', kid: KEY_ID, typ: 'JWT' })
        .sign(privateKey)
    },
  }
}
