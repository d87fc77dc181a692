import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { decodeJwt } from 'jose'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { request, roundTrip } from '../fixtures/connection.ts'
import { startServe } from '../fixtures/served.ts'
import { simulated } from '../fixtures/simulated.ts'

const TOKEN = request(
  '/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https://vault.azure.net',
)

let directory = ''
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'wimds-test-'))
})
afterEach(() => rm(directory, { recursive: true }))

/** The reply of a sidecar in this environment to a request for a token. */
async function asked(env: Readonly<Record<string, string>>) {
  await using sidecar = await startServe({
    ...env,
    WIMDS_LISTEN: '127.0.0.1:0',
    WIMDS_ADMIN_LISTEN: 'off',
  })
  return await roundTrip(sidecar.port, TOKEN)
}

test('the environment leads the sidecar through the token proxy to Entra ID', async () => {
  await using simulator = await simulated(directory, '--token-proxy-listen', '127.0.0.1:0')
  const { env, io } = simulator
  expect(io.out()).toContain(`token proxy  ${env['AZURE_KUBERNETES_TOKEN_PROXY']}`)
  // The proxy is the only way: it passes on to the simulated Entra ID, which this host is not.
  const { status, body } = await asked({ ...env, AZURE_AUTHORITY_HOST: 'https://entra.invalid' })
  expect(status).toBe(200)
  expect(decodeJwt(JSON.parse(body).access_token)).toMatchObject({ aud: 'https://vault.azure.net' })
})

test.each(['AZURE_KUBERNETES_SNI_NAME', 'AZURE_KUBERNETES_CA_FILE'])(
  'the proxy is not believed without %s',
  async (name) => {
    await using simulator = await simulated(directory, '--token-proxy-listen', '127.0.0.1:0')
    const { [name]: taken, ...env } = simulator.env
    expect(taken).toBeDefined()
    const { status, body } = await asked(env)
    expect(status).toBe(503)
    expect(body).toContain('entra_tls')
  },
)

test('faults of Entra ID come through the proxy', async () => {
  const config = join(directory, 'config.yaml')
  await writeFile(config, 'faults: [{ kind: aadsts, code: 700016 }]')
  await using simulator = await simulated(
    directory,
    '--token-proxy-listen',
    '127.0.0.1:0',
    '--config',
    config,
  )
  const { status, body } = await asked(simulator.env)
  expect(status).toBe(400)
  expect(body).toContain('AADSTS700016')
})

test('without the flag there is no proxy', async () => {
  await using simulator = await simulated(directory)
  expect(Object.keys(simulator.env).filter((name) => name.includes('KUBERNETES'))).toEqual([])
  expect(simulator.io.out()).not.toContain('token proxy')
})
