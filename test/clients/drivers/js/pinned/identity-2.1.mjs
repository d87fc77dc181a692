// @azure/identity 2.1, the last release with a managed identity client of its own that caches by MSAL.
import { setTimeout as sleep } from 'node:timers/promises'
import { DefaultAzureCredential, ManagedIdentityCredential } from '@azure/identity-2.1'

const [variant, resource, , id] = process.argv.slice(2)
const credential =
  variant === 'default'
    ? new DefaultAzureCredential({ managedIdentityClientId: id })
    : new ManagedIdentityCredential(...(id === undefined ? [] : [id]))
await printToken()
const { WIMDS_TEST_AGAIN_AFTER: seconds } = process.env
if (seconds !== undefined) {
  await sleep(Number(seconds) * 1000)
  await printToken()
}

async function printToken() {
  const { token, expiresOnTimestamp } = await credential.getToken(`${resource}/.default`)
  const expiresOn = Math.floor(expiresOnTimestamp / 1000) || -1
  process.stdout.write(`${JSON.stringify({ token, expiresOn })}\n`)
}
