// @azure/ms-rest-nodeauth, with which the first generation of @azure/arm-* packages logs in. For
// IMDS it reads no variable, only its msiEndpoint option. It treats epoch seconds as milliseconds and
// never reads the expiry again, so none is printed.
import { loginWithAppServiceMSI, loginWithVmMSI } from '@azure/ms-rest-nodeauth'
import { parseArguments } from './arguments.mjs'
import { printToken } from './print-token.mjs'

const ID_OPTIONS = { 'client-id': 'clientId', 'object-id': 'objectId', 'resource-id': 'identityId' }

const { variant, resource, selector } = parseArguments()
const options = { resource, ...(selector && { [ID_OPTIONS[selector.kind]]: selector.id }) }
const credentials =
  variant === 'app-service'
    ? await loginWithAppServiceMSI(options)
    : await loginWithVmMSI({
        ...options,
        ...endpoint(process.env.AZURE_POD_IDENTITY_AUTHORITY_HOST),
      })
const { accessToken } = await credentials.getToken()
printToken(accessToken)

function endpoint(host) {
  return host === undefined ? {} : { msiEndpoint: `${host}/metadata/identity/oauth2/token` }
}
