import { describe, expect, test } from 'vitest'
import { createDoctorCommand, findRemedies } from '../../../src/sidecar/status-page/remedies.ts'
import { shellWords } from '../../fixtures/shell-words.ts'
import { aStatus } from '../../fixtures/status.ts'

const CLIENT_ID = '11111111-1111-4111-8111-111111111111'
const TOKEN_FILE = '/var/run/secrets/azure/tokens/azure-identity-token'

const commandsFor = (code: string, status = aStatus()) =>
  findRemedies({ clientId: CLIENT_ID, failure: { code, message: 'it failed' } }, status).map(
    ([, command]) => command,
  )

test('a missing federated credential has the commands that create it, with the claims of the token', () => {
  const [find, managedIdentity, application] = commandsFor('federated_credential_not_found')
  expect(find).toBe(`az identity list --output table \\
  --query "[?clientId=='${CLIENT_ID}'].{name:name, resourceGroup:resourceGroup}"`)
  expect(managedIdentity).toBe(`az identity federated-credential create \\
  --name wimds-shop-orders-7a16d5e6 \\
  --identity-name IDENTITY_NAME \\
  --resource-group RESOURCE_GROUP \\
  --issuer https://eastus.oic.prod-aks.azure.com/t/c/ \\
  --subject system:serviceaccount:shop:orders \\
  --audiences api://AzureADTokenExchange`)
  expect(application).toContain(`--id ${CLIENT_ID} \\\n`)
})

test('a token whose claims would make the Azure CLI upload a file has no command', () => {
  const assertions = aStatus().assertions.map((assertion) => ({
    ...assertion,
    ...(assertion.claims && { claims: { ...assertion.claims, audience: ['@/etc/passwd'] } }),
  }))
  expect(commandsFor('federated_credential_not_found', aStatus({ assertions }))).toEqual([])
})

test('the name and the resource group come from the resource id of the identity, if it is configured', () => {
  const resourceId =
    '/subscriptions/s/resourcegroups/contoso/providers/microsoft.managedidentity/userassignedidentities/id-orders'
  const identities = aStatus().identities.map((identity) => ({ ...identity, resourceId }))
  const status = aStatus({ identities })
  expect(commandsFor('federated_credential_mismatch', status)).toEqual([
    `az identity federated-credential list \\
  --identity-name id-orders \\
  --resource-group contoso \\
  --subscription s \\
  --output table`,
  ])
})

describe('with two projected tokens', () => {
  const own = aStatus().assertions
  const others = own.map(({ claims }) => ({
    file: '/other/token',
    ...(claims && { claims: { ...claims, issuer: 'https://other.test' } }),
  }))
  const assertions = [...others, ...own]

  test('the commands have the claims of the identity', () => {
    const [, command] = commandsFor('federated_credential_not_found', aStatus({ assertions }))
    expect(command).toContain('--name wimds-shop-orders-7a16d5e6 ')
    expect(command).toContain('--issuer https://eastus.oic.prod-aks.azure.com/t/c/ ')
  })

  // The name of a credential is a hash of the claims: with placeholders it would be that of another cluster.
  test('an unlisted client id has no command', () => {
    const status = aStatus({ assertions, identities: [] })
    expect(commandsFor('federated_credential_not_found', status)).toEqual([])
  })
})

test('a chained identity has no command with the claims of the projected token', () => {
  const identities = aStatus().identities.map(({ tokenFile: _tokenFile, ...identity }) => identity)
  const status = aStatus({ identities })
  expect(commandsFor('federated_credential_not_found', status)).toEqual([])
})

test('there is no command with the claims of a projected token that cannot be read', () => {
  const assertions = [{ file: TOKEN_FILE }]
  expect(commandsFor('federated_credential_not_found', aStatus({ assertions }))).toEqual([])
})

test.each([
  ['in a pod', { inPod: true }, 'kubectl exec -n shop orders-0 -c wimds -- wimds doctor'],
  ['outside Kubernetes, even with a token that names a pod,', { inPod: false }, undefined],
])('%s the diagnosis is %s', (_, where, command) => {
  const workload = { host: 'orders-0', namespace: 'shop', ...where }
  expect(createDoctorCommand(aStatus({ workload }))).toBe(command)
})

test('a namespace that is not known, as there is no projected token, is a placeholder', () => {
  const status = aStatus({
    workload: { host: 'orders-0', inPod: true },
    assertions: [{ file: '/token' }],
  })
  expect(createDoctorCommand(status)).toBe(
    'kubectl exec -n NAMESPACE orders-0 -c wimds -- wimds doctor',
  )
})

test('a fault whose fix is a sentence has no command', () => {
  expect(commandsFor('entra_bad_response')).toEqual([])
})

test('texts of the projected token are quoted for the shell', () => {
  const workload = {
    host: 'a pod; reboot',
    namespace: '$(reboot)',
    serviceAccount: '`reboot`',
    inPod: true,
  }
  const claims = {
    issuer: "https://x'; reboot #",
    subject: '$(reboot)',
    audience: ['api://AzureADTokenExchange'],
    expiresAt: '2026-11-24T12:41:00.000Z',
  }
  const status = aStatus({ workload, assertions: [{ file: TOKEN_FILE, claims }] })
  expect(createDoctorCommand(status)).toBe(
    "kubectl exec -n '$(reboot)' 'a pod; reboot' -c wimds -- wimds doctor",
  )
  const [, command] = commandsFor('federated_credential_not_found', status)
  expect(command).toContain(String.raw`--issuer 'https://x'\''; reboot #' `)
  expect(command).toContain(`--subject '$(reboot)' `)
})

test('an unusual audience reaches az only if it is configured, as it is in the token', () => {
  const claims = {
    issuer: 'https://x --a b',
    subject: 'system:serviceaccount:shop:orders --identity-name other',
    audience: ['api://x --output json'],
    expiresAt: '2026-11-24T12:41:00.000Z',
  }
  const assertions = [{ file: TOKEN_FILE, claims }]
  expect(commandsFor('federated_credential_not_found', aStatus({ assertions }))).toEqual([])
  const status = aStatus({
    assertions,
    settings: [{ name: 'WIMDS_AUDIENCE', value: 'api://x --output json', source: 'environment' }],
  })
  const [, managedIdentity = '', application = ''] = commandsFor(
    'federated_credential_not_found',
    status,
  )
  const [audience] = claims.audience
  expect(shellWords(managedIdentity).slice(-6)).toEqual([
    '--issuer',
    claims.issuer,
    '--subject',
    claims.subject,
    '--audiences',
    audience,
  ])
  expect(JSON.parse(shellWords(application).at(-1) ?? '')).toMatchObject({
    issuer: claims.issuer,
    subject: claims.subject,
    audiences: [audience],
  })
  const list = commandsFor('federated_credential_mismatch', status).at(-1) ?? ''
  expect(shellWords(list).join(' ')).toBe(
    'identity federated-credential list --identity-name IDENTITY_NAME --resource-group RESOURCE_GROUP --output table',
  )
})
