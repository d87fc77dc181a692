/** The images in a pod that the azure-workload-identity webhook (v1.6.0) has injected. */
import { beforeAll, expect, test } from 'vitest'
import { testCluster } from './support/cluster.ts'
import { AZWI_PORT, azwiPod } from './support/azwi.ts'
import { CLIENT, curl, STAY, TOKEN_PATH } from './support/workloads.ts'

const NAMESPACE = 'wimds-e2e-drop-in'
const NAME = 'mutated'

const cluster = testCluster(NAMESPACE, {
  clientId: CLIENT,
  serviceAccounts: [`${NAMESPACE}:default`],
})

beforeAll(async () => {
  await cluster.namespace.create(azwiPod(NAME, CLIENT, `${curl(TOKEN_PATH)}; ${STAY}`))
  await cluster.namespace.ready(NAME)
})

test('gives the app its token at the metadata address', async () => {
  const { status, body } = await cluster.reply(NAME)
  expect(status).toBe(200)
  expect(await cluster.entra.clientIdOf(body['access_token'])).toBe(CLIENT)
})

test('serves the proxy’s routes on its port, and opens no other port', async () => {
  const origin = `http://127.0.0.1:${AZWI_PORT}`
  const path = '/Metadata/identity/oauth2/token/?resource=https://vault.azure.net'
  const script = [
    `curl -sS -o /dev/null -w '%{http_code} ' ${origin}/readyz`,
    `curl -sS -o /dev/null -w '%{http_code} ' -H Metadata:true ${origin}${path}`,
    `curl -sS -o /dev/null -w '%{http_code} ' http://127.0.0.1:9169/healthz || true`,
  ]
  const codes = await cluster.namespace.exec(NAME, 'app', ['sh', '-c', script.join('; ')])
  expect(codes.trim()).toMatch(/^200 (?:200|400) 000$/)
})

test('runs with the proxy’s uid', async () => {
  const uid = ['/nodejs/bin/node', '-p', 'process.getuid()']
  expect(await cluster.namespace.exec(NAME, 'azwi-proxy', uid)).toBe('1501\n')
})
