// The MongoDB driver's client-side field level encryption with `kmsProviders: { azure: {} }`. The driver requests the token
// for Key Vault while it encrypts; this calls that step only.
import { createRequire } from 'node:module'

const require = createRequire(import.meta.url)
const {
  loadAzureCredentials,
} = require('./node_modules/mongodb/lib/client-side-encryption/providers/azure.js')

const { azure } = await loadAzureCredentials({})
const expiresOn = Math.floor(azure.expiresOnTimestamp / 1000)
process.stdout.write(`${JSON.stringify({ token: azure.accessToken, expiresOn })}\n`)
