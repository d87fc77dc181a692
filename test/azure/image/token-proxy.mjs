// Asks the token proxy of an identity binding for a token, with several Host headers: HOST... Prints the status of each reply.
import { readFileSync } from 'node:fs'
import { request } from 'node:https'
import { text } from 'node:stream/consumers'

const { env } = process
const proxy = new URL(env.AZURE_KUBERNETES_TOKEN_PROXY)
const form = new URLSearchParams({
  grant_type: 'client_credentials',
  client_id: env.AZURE_CLIENT_ID,
  scope: 'https://management.azure.com/.default',
  client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
  client_assertion: readFileSync(env.AZURE_FEDERATED_TOKEN_FILE, 'utf8'),
}).toString()

const replies = {}
for (const host of process.argv.slice(2)) replies[host] = await post(host).catch(String)
process.stdout.write(`${JSON.stringify(replies)}\n`)

async function post(host) {
  const { promise, resolve, reject } = Promise.withResolvers()
  request(proxy, {
    method: 'POST',
    path: `${proxy.pathname.replace(/\/$/, '')}/${env.AZURE_TENANT_ID}/oauth2/v2.0/token`,
    headers: { host, 'content-type': 'application/x-www-form-urlencoded' },
    servername: env.AZURE_KUBERNETES_SNI_NAME,
    ca: env.AZURE_KUBERNETES_CA_DATA ?? readFileSync(env.AZURE_KUBERNETES_CA_FILE),
    timeout: 10_000,
  })
    .on('response', resolve)
    .on('error', reject)
    .end(form)
  const response = await promise
  await text(response)
  return response.statusCode
}
