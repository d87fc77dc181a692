// Shows: an application of 2021. Its SDK supports IMDS but not workload identity. Neither this file nor the SDK was
//   changed for wimds.
// Run:   VAULT_URL=https://… SECRET_NAME=… [MSI_ENDPOINT=…] node fetch-secret.mjs     as `wimds demo` does
// Check: it prints the value of the secret, and how long the token took.
import { loginWithVmMSI } from '@azure/ms-rest-nodeauth'

const { VAULT_URL, SECRET_NAME, MSI_ENDPOINT } = process.env

const start = performance.now()
const credentials = await loginWithVmMSI({
  resource: 'https://vault.azure.net',
  ...(MSI_ENDPOINT !== undefined && { msiEndpoint: MSI_ENDPOINT }),
})
const { accessToken } = await credentials.getToken()
const tokenMs = performance.now() - start

const response = await fetch(`${VAULT_URL}/secrets/${SECRET_NAME}?api-version=7.4`, {
  headers: { authorization: `Bearer ${accessToken}` },
})
if (!response.ok) throw new Error(`the vault answered ${response.status}`)
const { value } = await response.json()

process.stdout.write(`${JSON.stringify({ value, tokenMs })}\n`)
