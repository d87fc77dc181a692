import { expect, test } from 'vitest'
import { createCredentialCommands } from '../../../src/tools/doctor/fix-commands.ts'
import { shellWords } from '../../fixtures/shell-words.ts'

function commandsFor(...args: Parameters<typeof createCredentialCommands>) {
  const commands = createCredentialCommands(...args)
  if (commands === undefined) throw new Error('there are no commands')
  return commands
}

const CLAIMS = {
  issuer: 'https://oidc.example/',
  subject: 'system:serviceaccount:shop:orders',
  audience: ['api://AzureADTokenExchange'],
}
const clientId = '11111111-1111-4111-8111-111111111111'
const ARM_ID =
  '/subscriptions/55555555-5555-4555-8555-555555555555/resourcegroups/my shop/providers/microsoft.managedidentity/userassignedidentities/orders'

test('uses identity, group and subscription of the resource id', () => {
  const { azManagedIdentity, terraform } = commandsFor({ clientId, resourceId: ARM_ID }, CLAIMS)
  expect(azManagedIdentity).toContain(
    "--identity-name orders --resource-group 'my shop' --subscription 55555555-5555-4555-8555-555555555555",
  )
  expect(terraform).toContain(
    'user_assigned_identity_id = "/subscriptions/55555555-5555-4555-8555-555555555555/resourceGroups/my shop/providers/Microsoft.ManagedIdentity/userAssignedIdentities/orders"',
  )
})

test('has placeholders without a resource id', () => {
  const { azManagedIdentity, terraform } = commandsFor({ clientId }, CLAIMS)
  expect(azManagedIdentity).toContain(
    '--identity-name IDENTITY_NAME --resource-group RESOURCE_GROUP',
  )
  expect(terraform).toContain('azurerm_user_assigned_identity.IDENTITY_NAME.id')
})

test.each([
  { issuer: 'https://x/?a=@/etc/passwd' },
  { subject: '@/etc/passwd' },
  { audience: ['@/etc/passwd'] },
])('prints no command for which the Azure CLI would upload a file: %j', (claims) => {
  expect(createCredentialCommands({ clientId }, { ...CLAIMS, ...claims })).toBeUndefined()
})

test('quotes hostile claims for the shell', () => {
  const issuer = 'https://x/\'; echo "$(id)" `id`'
  const { azManagedIdentity, azApplication } = commandsFor({ clientId }, { ...CLAIMS, issuer })
  expect(shellWords(azManagedIdentity)).toContain(issuer)
  const parameters = shellWords(azApplication).find((word) => word.startsWith('{'))
  expect(JSON.parse(parameters ?? '')).toMatchObject({ issuer, audiences: CLAIMS.audience })
})

test('escapes Terraform templates', () => {
  const issuer = 'https://x/${file("/etc/passwd")}%{if true}'
  const { terraform } = commandsFor({ clientId }, { ...CLAIMS, issuer })
  expect(terraform).toContain('"https://x/$${file(\\"/etc/passwd\\")}%%{if true}"')
})

test('derives a valid credential name from the service account', () => {
  const { terraform } = commandsFor(
    { clientId },
    { ...CLAIMS, subject: `system:serviceaccount:shop:${'a.b/'.repeat(60)}` },
  )
  const [, name = ''] = /name {22}= "([^"]+)"/.exec(terraform) ?? []
  expect(name).toMatch(/^[A-Za-z0-9][\w-]{2,119}$/)
})
