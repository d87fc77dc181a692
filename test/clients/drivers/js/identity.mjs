// @azure/identity 4: ManagedIdentityCredential, or DefaultAzureCredential with its probes.
import { DefaultAzureCredential, ManagedIdentityCredential } from '@azure/identity'
import { parseArguments } from './arguments.mjs'
import { printTokens } from './print-token.mjs'

const { variant, resource, selector } = parseArguments()
const credential = variant === 'default' ? chain() : new ManagedIdentityCredential(selected())
await printTokens(async () => {
  const { token, expiresOnTimestamp } = await credential.getToken(`${resource}/.default`)
  return [token, expiresOnTimestamp]
})

function chain() {
  return new DefaultAzureCredential({ managedIdentityClientId: selector?.id })
}

function selected() {
  switch (selector?.kind) {
    case undefined:
      return {}
    case 'client-id':
      return { clientId: selector.id }
    case 'object-id':
      return { objectId: selector.id }
    case 'resource-id':
      return { resourceId: selector.id }
    default:
      throw new Error(`unknown selector: ${selector.kind}`)
  }
}
