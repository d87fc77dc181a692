import { execFileSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { aStatus } from '../../fixtures/status.ts'
import { createCredentialCommands } from '../../../src/tools/doctor/federated-credential-commands.ts'

const CLAIMS = {
  issuer: 'https://oidc.example/',
  subject: 'system:serviceaccount:shop:orders',
  audience: ['api://AzureADTokenExchange'],
}
const IDENTITY = { name: 'orders', clientId: '11111111-1111-4111-8111-111111111111' }
const ARM_ID =
  '/subscriptions/55555555-5555-4555-8555-555555555555/resourcegroups/my shop/providers/microsoft.managedidentity/userassignedidentities/orders'
const NOT_FOUND = 'federated_credential_not_found'

interface Given {
  readonly identity?: typeof IDENTITY & { readonly resourceId?: string }
  readonly claims?: typeof CLAIMS | undefined
}

/** Proposes commands for this error code; `claims: undefined` means that the claims are not known. */
function propose(code: string, given: Given = {}) {
  const { identity, claims } = { identity: IDENTITY, claims: CLAIMS, ...given }
  const { identities, assertions, generatedAt: expiresAt } = aStatus()
  return createCredentialCommands(code, identity, {
    identities: identities.map((each) => ({ ...each, ...identity })),
    assertions: assertions.map(({ file }) => ({
      file,
      claims: claims && { ...claims, expiresAt },
    })),
  })
}

const commandsOf = (code: string, given?: Given) => propose(code, given).map((each) => each.command)

test('the commands have the name in the resource id, or placeholders without a resource id', () => {
  const identity = { ...IDENTITY, resourceId: ARM_ID }
  expect(commandsOf('federated_credential_mismatch', { identity })).toEqual([
    "az identity federated-credential list --identity-name orders --resource-group 'my shop' --subscription 55555555-5555-4555-8555-555555555555 --output table",
    expect.stringMatching(/^az ad app federated-credential list --id /),
  ])
  expect(commandsOf(NOT_FOUND)).toEqual([
    expect.stringContaining('--identity-name IDENTITY_NAME --resource-group RESOURCE_GROUP'),
    expect.stringContaining(`--id ${IDENTITY.clientId} `),
  ])
})

test.each([
  ['would make the Azure CLI upload a file', { issuer: 'https://x/?a=@/etc/passwd' }],
  ['would make the Azure CLI upload a file', { subject: '@/etc/passwd' }],
  ['are probably a mistake', { audience: ['vault'] }],
  ['are not known', undefined],
])('there is no command with claims that %s: %j', (_, changes) => {
  const claims = changes && { ...CLAIMS, ...changes }
  expect(commandsOf(NOT_FOUND, { claims })).toEqual([])
})

test('quotes hostile values for the shell', () => {
  const claims = {
    issuer: 'https://x/\'; echo "$(id)" `id`',
    subject: 'system:serviceaccount:shop:orders --identity-name other',
    audience: CLAIMS.audience,
  }
  const identity = { name: 'orders', clientId: `1' || "$(reboot)` }
  const [managedIdentity = '', application = '', ...others] = commandsOf(NOT_FOUND, {
    identity,
    claims,
  })
  expect(others).toEqual([])
  // People copy a command from the text above it, too.
  const texts = propose(NOT_FOUND, { identity, claims }).map(({ purpose }) => purpose)
  expect(texts.join('\n')).not.toContain('reboot')
  const { issuer, subject, audience } = claims
  const flags = ['--issuer', issuer, '--subject', subject, '--audiences', ...audience]
  expect(shellWords(managedIdentity).slice(-6)).toEqual(flags)
  const words = shellWords(application)
  expect(words).toContain(identity.clientId)
  expect(JSON.parse(words.at(-1) ?? '')).toMatchObject({ issuer, subject, audiences: audience })
})

/** Returns the arguments that a shell passes to `az`. */
function shellWords(command: string): string[] {
  const script = `az() { printf '%s\\0' "$@"; }\n${command}`
  return execFileSync('sh', ['-c', script], { encoding: 'utf8' }).split('\0').slice(0, -1)
}
