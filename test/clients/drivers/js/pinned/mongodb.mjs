// The MongoDB driver's OIDC authentication with ENVIRONMENT:azure. The driver requests the token while
// it connects to a server; this calls that step only.
import { createRequire } from 'node:module'

const require = createRequire(import.meta.url)
const {
  azureCallback,
} = require('./node_modules/mongodb/lib/cmap/auth/mongodb_oidc/azure_machine_workflow.js')

const [, resource, , id] = process.argv.slice(2)
const { accessToken, expiresInSeconds } = await azureCallback({
  tokenAudience: resource,
  username: id,
})
const expiresOn = Math.floor(Date.now() / 1000) + expiresInSeconds
process.stdout.write(`${JSON.stringify({ token: accessToken, expiresOn })}\n`)
