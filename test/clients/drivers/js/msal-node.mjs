// @azure/msal-node's ManagedIdentityApplication, without @azure/identity.
import { ManagedIdentityApplication } from '@azure/msal-node'
import { parseArguments } from './arguments.mjs'
import { printTokens } from './print-token.mjs'

const ID_PARAMETERS = {
  'client-id': 'userAssignedClientId',
  'object-id': 'userAssignedObjectId',
  'resource-id': 'userAssignedResourceId',
}

const { resource, selector } = parseArguments()
const application = new ManagedIdentityApplication(
  selector === undefined
    ? {}
    : { managedIdentityIdParams: { [ID_PARAMETERS[selector.kind]]: selector.id } },
)
await printTokens(async () => {
  const { accessToken, expiresOn } = await application.acquireToken({ resource })
  return [accessToken, expiresOn]
})
