/** The images of wimds run in place of the proxy that the azure-workload-identity webhook (v1.6.0) injects. */
import { beforeAll, describe, expect, test } from 'vitest'
import { testCluster } from './support/cluster.ts'
import { azwiPod } from './support/azwi.ts'
import { CLIENT } from './support/workloads.ts'

const NAMESPACE = 'wimds-e2e-drop-in'

const cluster = testCluster(NAMESPACE, {
  clientId: CLIENT,
  serviceAccounts: [`${NAMESPACE}:default`],
})

const PODS = [
  { name: 'native', port: 8000, isNative: true },
  { name: 'classic', port: 8765, isNative: false },
]

beforeAll(() => cluster.namespace.create(...PODS.map(azwiPod)))

describe.each(PODS)('a $name sidecar on port $port', ({ name, port }) => {
  test('gives the app its token at the metadata address', async () => {
    await cluster.namespace.ready(name)
    const { status, body } = await cluster.ask(name)
    expect(status).toBe(200)
    expect(await cluster.entra.clientIdOf(body['access_token'])).toBe(CLIENT)
  })

  test('serves the proxy’s routes on its port, and opens no other port', async () => {
    const script = [
      `curl -sS -o /dev/null -w '%{http_code} ' http://127.0.0.1:${port}/readyz`,
      `curl -sS -o /dev/null -w '%{http_code} ' -H Metadata:true http://127.0.0.1:${port}/Metadata/identity/oauth2/token/?resource=https://vault.azure.net`,
      `curl -sS -o /dev/null -w '%{http_code} ' http://127.0.0.1:9169/healthz || true`,
    ]
    const codes = await cluster.namespace.exec(name, 'app', ['sh', '-c', script.join('; ')])
    expect(codes.trim()).toMatch(/^200 (?:200|400) 000$/)
  })

  test('runs with the proxy’s uid', async () => {
    const uid = ['/nodejs/bin/node', '-p', 'process.getuid()']
    expect(await cluster.namespace.exec(name, 'azwi-proxy', uid)).toBe('1501\n')
  })

  test('has the proxy’s program at its path, and wimds on the PATH', async () => {
    expect(await cluster.namespace.exec(name, 'azwi-proxy', ['/proxy', '--version'])).toMatch(
      /^wimds \d/,
    )
    expect(await cluster.namespace.exec(name, 'azwi-proxy', ['wimds', 'version'])).toMatch(
      /^wimds \d/,
    )
  })
})
