import { expect, test } from 'vitest'
import { formatCommand } from '../../../src/lib/shell.ts'
import {
  canCreateCredential,
  createApplicationCommand,
  createManagedIdentityCommand,
} from '../../../src/sidecar/exchange/credential-commands.ts'
import { shellWords } from '../../fixtures/shell-words.ts'

const CLAIMS = {
  issuer: 'https://oidc.example/',
  subject: 'system:serviceaccount:shop:orders',
  audience: ['api://AzureADTokenExchange'],
}
const clientId = '11111111-1111-4111-8111-111111111111'
const ARM_ID =
  '/subscriptions/55555555-5555-4555-8555-555555555555/resourcegroups/my shop/providers/microsoft.managedidentity/userassignedidentities/orders'

test.each([
  [
    ARM_ID,
    "--identity-name orders --resource-group 'my shop' --subscription 55555555-5555-4555-8555-555555555555",
  ],
  [undefined, '--identity-name IDENTITY_NAME --resource-group RESOURCE_GROUP'],
])('uses identity, group and subscription of the resource id, or placeholders', (id, flags) => {
  expect(formatCommand(createManagedIdentityCommand({ resourceId: id }, CLAIMS))).toContain(flags)
})

test.each([
  { issuer: 'https://x/?a=@/etc/passwd' },
  { subject: '@/etc/passwd' },
  { audience: ['@/etc/passwd'] },
])('knows claims for which the Azure CLI would upload a file: %j', (claims) => {
  expect(canCreateCredential({ ...CLAIMS, ...claims })).toBe(false)
})

test('quotes hostile claims for the shell', () => {
  const claims = { ...CLAIMS, issuer: 'https://x/\'; echo "$(id)" `id`' }
  const command = formatCommand(createManagedIdentityCommand({}, claims))
  expect(shellWords(command)).toContain(claims.issuer)
  const words = shellWords(formatCommand(createApplicationCommand({ clientId }, claims)))
  const parameters = JSON.parse(words.find((word) => word.startsWith('{')) ?? '')
  expect(parameters).toMatchObject({ issuer: claims.issuer, audiences: CLAIMS.audience })
})
