import { execFileSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { createCredentialCommands } from '../../src/doctor/credential-commands.ts'

const CLAIMS = {
  issuer: 'https://oidc.example/',
  subject: 'system:serviceaccount:shop:orders',
  audience: ['api://AzureADTokenExchange'],
}
const clientId = '11111111-1111-4111-8111-111111111111'
const ARM_ID =
  '/subscriptions/55555555-5555-4555-8555-555555555555/resourcegroups/my shop/providers/microsoft.managedidentity/userassignedidentities/orders'

test('names identity, group and subscription where the identities file has the resource id', () => {
  const { azManagedIdentity, terraform } = createCredentialCommands(
    { clientId, resourceId: ARM_ID },
    CLAIMS,
  )
  expect(azManagedIdentity).toContain(
    "--identity-name orders --resource-group 'my shop' --subscription 55555555-5555-4555-8555-555555555555",
  )
  expect(terraform).toContain(`parent_id           = "${ARM_ID}"`)
})

test('leaves capital letters for what only the operator knows', () => {
  const { azManagedIdentity, terraform } = createCredentialCommands({ clientId }, CLAIMS)
  expect(azManagedIdentity).toContain(
    '--identity-name IDENTITY_NAME --resource-group RESOURCE_GROUP',
  )
  expect(terraform).toContain('azurerm_user_assigned_identity.IDENTITY_NAME.id')
})

test('has commands that a shell takes to the letter, whatever a token claims', () => {
  const issuer = 'https://x/\'; echo "$(id)" `id`'
  const { azManagedIdentity, azApplication } = createCredentialCommands(
    { clientId },
    { ...CLAIMS, issuer },
  )
  expect(words(azManagedIdentity).split('\n')).toContain(issuer)
  const parameters = words(azApplication)
    .split('\n')
    .find((word) => word.startsWith('{'))
  expect(JSON.parse(parameters ?? '')).toMatchObject({ issuer, audiences: CLAIMS.audience })
})

test('has no template of Terraform’s in what it quotes', () => {
  const issuer = 'https://x/${file("/etc/passwd")}%{if true}'
  const { terraform } = createCredentialCommands({ clientId }, { ...CLAIMS, issuer })
  expect(terraform).toContain('"https://x/$${file(\\"/etc/passwd\\")}%%{if true}"')
})

test('gives each service account a name of its own that Entra ID takes', () => {
  const { terraform } = createCredentialCommands(
    { clientId },
    { ...CLAIMS, subject: `system:serviceaccount:shop:${'a.b/'.repeat(60)}` },
  )
  const [, name = ''] = /name {16}= "([^"]+)"/.exec(terraform) ?? []
  expect(name).toMatch(/^[A-Za-z0-9][\w-]{2,119}$/)
})

/** The arguments that `az` would get from a shell, one a line. */
function words(command: string): string {
  const script = `az() { printf '%s\\n' "$@"; }\n${command}`
  return execFileSync('sh', ['-c', script], { encoding: 'utf8' })
}
