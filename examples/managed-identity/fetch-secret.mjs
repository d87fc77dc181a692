// Shows: an application that gets its tokens only from IMDS. Neither this file nor the SDK was changed for wimds.
// Run:   VAULT_URL=https://… SECRET_NAME=… [AZURE_POD_IDENTITY_AUTHORITY_HOST=…] node fetch-secret.mjs     as `wimds demo` does
// Check: the output has the value of the secret, and how long the request for the token took.
import { ManagedIdentityApplication } from '@azure/msal-node'

const { VAULT_URL, SECRET_NAME } = process.env

const start = performance.now()
const application = new ManagedIdentityApplication()
const { accessToken } = await application.acquireToken({ resource: 'https://vault.azure.net' })
const tokenMs = performance.now() - start

const response = await fetch(`${VAULT_URL}/secrets/${SECRET_NAME}?api-version=7.4`, {
  headers: { authorization: `Bearer ${accessToken}` },
})
if (!response.ok) throw new Error(`the vault answered ${response.status}`)
const { value } = await response.json()

process.stdout.write(`${JSON.stringify({ value, tokenMs })}\n`)
