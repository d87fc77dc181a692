import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { access, readFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { Agent } from 'undici'
import { stringify } from 'yaml'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { TENANT_ID } from '../../src/tools/simulator/defaults.ts'
import { simulate } from '../../src/tools/simulator/simulate.ts'
import { createIssuer } from '../../src/tools/simulator/issuer/issuer.ts'
import { serve } from '../../src/tools/simulator/http/serve.ts'
import { createCertificateAuthority } from '../../src/lib/x509.ts'
import { createFolder, type Folder } from '../fixtures/folder.ts'
import { BUILT_CLI } from '../fixtures/run-program.ts'
import { runCommand } from './capture.ts'
import { startSimulate, formatExternalIssuer } from '../fixtures/simulate.ts'
import { exchange as requestToken } from './simulator/exchange.ts'

let directory: Folder
beforeEach(() => {
  directory = createFolder()
})
afterEach(() => directory[Symbol.dispose]())

/** Starts the command with the test's folder. */
const start = (...args: readonly string[]) => startSimulate(directory.path, ...args)

/** Writes the text to a file for --config, and returns its path. */
const writeConfig = (text: string) => directory.write('config.yaml', text)

/** Exchanges the projected token, or the assertion, with the environment of a sidecar. */
async function exchange(env: NodeJS.Dict<string>, assertion?: string, ca?: string) {
  const agent = new Agent({ connect: { ca: ca ?? (await readFile(env['WIMDS_CA_FILE'] ?? '')) } })
  const simulator = {
    authorityHost: env['AZURE_AUTHORITY_HOST'] ?? '',
    tenantId: env['AZURE_TENANT_ID'] ?? '',
    clientId: env['AZURE_CLIENT_ID'] ?? '',
    tokenFile: env['AZURE_FEDERATED_TOKEN_FILE'] ?? '',
    dispatcher: agent,
  }
  const changes = assertion === undefined ? {} : { assertion }
  try {
    return await requestToken(simulator, changes)
  } finally {
    await agent.close()
  }
}

test('writes paths that a shell in another folder can use, for a new folder named by a relative path', async () => {
  const folder = directory.file('a/b')
  const flags = ['--host', '[::1]', '--config', writeConfig('applications: []\n')]
  await using simulator = await startSimulate(relative('', folder), ...flags)
  expect(simulator.env['AZURE_TENANT_ID']).toBe(TENANT_ID)
  const { AZURE_AUTHORITY_HOST, AZURE_FEDERATED_TOKEN_FILE, WIMDS_CA_FILE } = simulator.env
  expect(AZURE_FEDERATED_TOKEN_FILE).toBe(join(folder, 'token', 'azure-identity-token'))
  expect(WIMDS_CA_FILE).toBe(join(folder, 'ca.crt'))
  expect(AZURE_AUTHORITY_HOST).toMatch(/^https:\/\/\[::1\]:\d+$/u)
})

test('writes the environment of a sidecar and prints no token', async () => {
  const { env, io, stop } = await start()
  expect(Object.keys(env).toSorted()).toEqual([
    'AZURE_AUTHORITY_HOST',
    'AZURE_CLIENT_ID',
    'AZURE_FEDERATED_TOKEN_FILE',
    'AZURE_TENANT_ID',
    'WIMDS_ADMIN_LISTEN',
    'WIMDS_CA_FILE',
    'WIMDS_IDENTITY_HEADER',
    'WIMDS_MODE',
  ])
  expect(env['WIMDS_ADMIN_LISTEN']).toMatch(/^127\.0\.0\.1:/)
  expect(await exchange(env)).toMatchObject({ status: 200, body: { token_type: 'Bearer' } })
  expect(await stop()).toBe(0)
  await expect(access(directory.file('env'))).rejects.toMatchObject({ code: 'ENOENT' })
  expect(io.out()).toContain(`Entra ID     ${env['AZURE_AUTHORITY_HOST']}`)
  expect(io.out()).toContain('orders: system:serviceaccount:shop:orders')
  expect(io.out() + io.err()).not.toContain('eyJ')
  await expect(exchange(env)).rejects.toMatchObject({ cause: { code: 'ECONNREFUSED' } })
})

test('rotates the projected token before it expires', async () => {
  const config = writeConfig('projectedToken: { lifetimeSeconds: 1 }\n')
  const { env, stop } = await start('--config', config)
  const file = env['AZURE_FEDERATED_TOKEN_FILE'] ?? ''
  const first = await readFile(file, 'utf8')
  await expect.poll(() => readFile(file, 'utf8')).not.toBe(first)
  expect((await exchange(env)).status).toBe(200)
  await stop()
})

test('reads applications and faults from --config and the host names from --host', async () => {
  const config = writeConfig(
    `applications:
  - clientId: aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa
    name: stock
    federatedCredentials:
      - subject: system:serviceaccount:depot:stock
projectedToken: { namespace: depot, serviceAccount: stock }
faults:
  - { kind: unavailable, times: 1 }
`,
  )
  const { env, stop } = await start(
    '--config',
    config,
    '--host',
    'localhost',
    '--host',
    '127.0.0.2',
  )
  expect(env['AZURE_CLIENT_ID']).toBe('aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa')
  expect(env['AZURE_AUTHORITY_HOST']).toMatch(/^https:\/\/localhost:\d+$/u)
  expect((await exchange(env)).status).toBe(503)
  expect((await exchange(env)).status).toBe(200)
  await stop()
})

test('fetches the documents of an external issuer with a CA file and a bearer token', async () => {
  const authority = await createCertificateAuthority()
  const tls = await authority.issue({ names: ['localhost', '127.0.0.1'] })
  const issuer = await createIssuer('https://kubernetes.default.svc')
  await using apiServer = await serve(
    async (request) =>
      request.headers.get('authorization') === 'Bearer reviewer'
        ? issuer.handler(request)
        : new Response(null, { status: 401 }),
    { tls },
  )
  const caFile = directory.write('api-ca.crt', authority.caPem)
  const tokenFile = directory.write('reviewer', 'reviewer\n')
  const config = formatExternalIssuer('https://kubernetes.default.svc', apiServer.url, caFile)
  const path = writeConfig(`${config}    bearerTokenFile: ${tokenFile}\n`)
  const { env, stop } = await start('--config', path)
  const foreign = (await issuer.sign()).reveal()
  expect((await exchange(env, foreign)).status).toBe(200)
  expect((await exchange(env)).body).toMatchObject({ error_codes: [700211] })
  await stop()
})

/** Returns the section of the configuration file for these two files. */
const formatTls = (certFile: string, keyFile = certFile) =>
  stringify({ tls: { certFile, keyFile } })

test('serves the certificate of --config and then sets no WIMDS_CA_FILE', async () => {
  const authority = await createCertificateAuthority()
  const { certPem, keyPem } = await authority.issue({ names: ['127.0.0.1'] })
  const files = [directory.write('tls.crt', certPem), directory.write('tls.key', keyPem)] as const
  const { env, stop } = await start('--config', writeConfig(formatTls(...files)))
  expect(env).not.toHaveProperty('WIMDS_CA_FILE')
  expect((await exchange(env, undefined, authority.caPem)).status).toBe(200)
  await stop()
})

/** Runs the command with a file for --config. */
async function refuse(text: string, ...args: readonly string[]) {
  return await runCommand(simulate, ['--config', writeConfig(text), ...args])
}

describe('wrong usage', () => {
  test('exits with 64 and lists the problems of all flags and sections, each with its place', async () => {
    const config = `applications:
  - clientId: orders
    colour: red
    tenantId: contoso
resources:
  - { appId: shop }
faults: 3
`
    const hosts = ['', 'https://a', 'a:80'].flatMap((host) => ['--host', host])
    const flags = ['--bogus', 'word', '--listen', 'nowhere', ...hosts]
    const { code, out, err } = await refuse(config, ...flags)
    expect({ code, out }).toEqual({ code: 64, out: '' })
    for (const problem of [
      '--bogus is not a flag',
      'unexpected argument word',
      '--listen must be host:port or [IPv6]:port, not "nowhere"',
      ...['""', '"https://a"', '"a:80"'].map(
        (host) => `--host must be a name or address, without port, not ${host}`,
      ),
      'config.yaml:2:15: applications[0].clientId: Invalid GUID',
      ': applications[0]: has an unknown key: colour',
      'config.yaml:6:14: resources[0].appId: Invalid GUID',
      'config.yaml:7:9: faults: must be a list',
    ]) {
      expect(err).toContain(problem)
    }
  })

  test('exits with 64 and the reason for an unknown section', async () => {
    const { code, err } = await refuse('aplications: []')
    expect(code).toBe(64)
    expect(err).toContain('config.yaml:1:14: has an unknown key: aplications')
  })

  test('exits with 1 and names a folder that cannot be created', async () => {
    expect(await runCommand(simulate, ['--dir', '/proc/wimds/sim'])).toMatchObject({
      code: 1,
      err: 'wimds simulate: cannot create /proc/wimds: no such file or directory. Fix: choose another folder by --dir\n',
    })
  })

  test('exits with 1 while another process uses the folder, and takes over the folder of a killed one', async () => {
    const first = spawn(process.execPath, [BUILT_CLI, 'simulate', '--dir', directory.path])
    await once(first.stdout, 'data')
    const files = () =>
      Promise.all(['ca.crt', 'env'].map((name) => readFile(directory.file(name), 'utf8')))
    const written = await files()
    expect(await runCommand(simulate, ['--dir', directory.path])).toMatchObject({
      code: 1,
      err: `wimds simulate: process ${first.pid} uses ${directory.path}. Fix: choose another folder by --dir, or end that process; if it is no simulator, delete ${directory.file('simulator.pid')}\n`,
    })
    expect(await files()).toEqual(written)

    first.kill('SIGKILL')
    await once(first, 'exit')
    const { env, stop } = await start()
    expect((await exchange(env)).status).toBe(200)
    expect(await stop()).toBe(0)
    await expect(access(directory.file('simulator.pid'))).rejects.toMatchObject({ code: 'ENOENT' })
  })

  test('exits with 64 for an invalid certificate', async () => {
    const file = directory.write('tls.crt', 'none')
    const { code, err } = await refuse(formatTls(file))
    expect(code).toBe(64)
    expect(err).toContain(`${file} and ${file} are not a certificate and its key: `)
    expect(err).toContain('. Fix: pass both in PEM')
  })

  test('exits with 1 at a port that is in use', async () => {
    await using taken = await serve(async () => new Response('taken'))
    const address = `127.0.0.1:${taken.port}`
    expect(await runCommand(simulate, ['--listen', address])).toMatchObject({
      code: 1,
      err: expect.stringMatching(/\w+\. Fix: choose another address by --listen/u),
    })
  })
})
