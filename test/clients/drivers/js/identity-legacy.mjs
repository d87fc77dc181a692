// @azure/identity 1.5, the last release before managed identities moved to MSAL.
import { DefaultAzureCredential, ManagedIdentityCredential } from '@azure/identity-legacy'
import { parseArguments } from './arguments.mjs'
import { printTokens } from './print-token.mjs'

const { variant, resource, selector } = parseArguments()
const credential =
  variant === 'default'
    ? new DefaultAzureCredential({ managedIdentityClientId: selector?.id })
    : managedIdentity()
await printTokens(async () => {
  const { token, expiresOnTimestamp } = await credential.getToken(`${resource}/.default`)
  return [token, expiresOnTimestamp]
})

function managedIdentity() {
  return selector === undefined
    ? new ManagedIdentityCredential()
    : new ManagedIdentityCredential(selector.id)
}
