import { decodeJwt } from 'jose'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createFolder, type Folder } from '../../fixtures/folder.ts'
import { request, roundTrip, TOKEN } from '../../fixtures/connection.ts'
import { startServe } from '../../fixtures/served.ts'
import { startSimulate } from '../../fixtures/simulate.ts'

let directory: Folder
beforeEach(() => {
  directory = createFolder()
})
afterEach(() => directory[Symbol.dispose]())

const startWithProxy = (...args: readonly string[]) =>
  startSimulate(directory.path, '--token-proxy-listen', '127.0.0.1:0', ...args)

/** Requests a token from a sidecar with this environment. */
async function requestToken(env: Readonly<Record<string, string>>) {
  await using sidecar = await startServe({
    ...env,
    WIMDS_LISTEN: '127.0.0.1:0',
    WIMDS_ADMIN_LISTEN: 'off',
  })
  return await roundTrip(sidecar.port, request(TOKEN))
}

test('the environment routes exchanges through the token proxy to Entra ID', async () => {
  await using simulator = await startWithProxy()
  const { env, io } = simulator
  expect(io.out()).toContain(`token proxy  ${env['AZURE_KUBERNETES_TOKEN_PROXY']}`)
  // The authority host does not exist, so the token can only come through the proxy.
  const { status, body } = await requestToken({
    ...env,
    AZURE_AUTHORITY_HOST: 'https://entra.invalid',
  })
  expect(status).toBe(200)
  expect(decodeJwt(JSON.parse(body).access_token)).toMatchObject({ aud: 'https://vault.azure.net' })
})

test.each(['AZURE_KUBERNETES_SNI_NAME', 'AZURE_KUBERNETES_CA_FILE'])(
  'the sidecar rejects the certificate of the proxy without %s',
  async (name) => {
    await using simulator = await startWithProxy()
    const { [name]: taken, ...env } = simulator.env
    expect(taken).toBeDefined()
    const { status, body } = await requestToken(env)
    expect(status).toBe(503)
    expect(body).toContain('entra_tls')
  },
)
