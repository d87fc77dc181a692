// Gets one token the way the SDK's documentation says, prints it, and keeps running.
import { loginWithVmMSI } from '@azure/ms-rest-nodeauth'

const host = process.env.AZURE_POD_IDENTITY_AUTHORITY_HOST
const credentials = await loginWithVmMSI({
  resource: 'https://vault.azure.net',
  ...(host && { msiEndpoint: `${host}/metadata/identity/oauth2/token` }),
})
const { accessToken } = await credentials.getToken()
process.stdout.write(`${JSON.stringify({ access_token: accessToken })}\n`)
process.on('SIGTERM', () => process.exit())
setInterval(() => {}, 1000)
