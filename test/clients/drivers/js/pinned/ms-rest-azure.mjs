// ms-rest-azure 3, the login of the azure-arm-* packages.
import msRestAzure from 'ms-rest-azure'

const [, resource] = process.argv.slice(2)
const options = {
  resource,
  ...(process.env.AZURE_POD_IDENTITY_AUTHORITY_HOST && {
    msiEndpoint: `${process.env.AZURE_POD_IDENTITY_AUTHORITY_HOST}/metadata/identity/oauth2/token`,
  }),
}
const credentials = await msRestAzure.loginWithVmMSI(options)
const { accessToken, expiresOn } = await new Promise((resolve, reject) => {
  credentials.getToken((error, result) => (error ? reject(error) : resolve(result)))
})
process.stdout.write(`${JSON.stringify({ token: accessToken, expiresOn: Number(expiresOn) })}\n`)
