/** What the bundle could have lost of the libraries, of which it has only those parts that are called. */
import { expect, test } from 'vitest'
import { startChild } from '../../src/commands/demo/child.ts'
import { createWorld } from '../../src/simulator/world.ts'
import { connectProxy } from '../exchange/connect-proxy.ts'
import { environmentOf } from '../fixtures/served.ts'
import { freePort } from '../support/free-port.ts'

const HOST = 'login.entra.example'
const TOKEN =
  '/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https://vault.azure.net'

test('the sidecar reaches Entra ID by an HTTP proxy that wants a password', async () => {
  await using world = await createWorld({ names: [HOST] })
  const credentials = 'me:secret'
  const routes = { [`${HOST}:443`]: Number(new URL(world.authorityHost).port) }
  await using proxy = await connectProxy({ routes, credentials })
  const port = await freePort()
  await using sidecar = startChild({
    script: 'dist/wimds.js',
    args: ['serve'],
    env: {
      ...environmentOf(world),
      WIMDS_LISTEN: `127.0.0.1:${port}`,
      AZURE_AUTHORITY_HOST: `https://${HOST}`,
      HTTPS_PROXY: `http://${credentials}@127.0.0.1:${proxy.port}`,
    },
  })
  const status = async () => {
    const reply = await fetch(`http://127.0.0.1:${port}${TOKEN}`, { headers: { metadata: 'true' } })
    return reply.status
  }
  await expect.poll(() => status().catch(() => undefined), { timeout: 5000 }).toBe(200)
  expect(sidecar.hasEnded()).toBe(false)
  expect(proxy.tunnels).toEqual([`${HOST}:443`])
})
