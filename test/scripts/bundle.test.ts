/** The bundle has only the called parts of its libraries. These tests use parts that it could have lost. */
import { spawnSync } from 'node:child_process'
import { cp, readFile } from 'node:fs/promises'
import { createSecureServer, type Http2ServerResponse } from 'node:http2'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { startChild } from '../../src/tools/demo/sidecar.ts'
import { createIssuer } from '../../src/tools/simulator/issuer/issuer.ts'
import { createSimulator } from '../../src/tools/simulator/simulator.ts'
import { createCertificateAuthority } from '../../src/lib/x509.ts'
import { connectProxy } from '../broker/exchange/connect-proxy.ts'
import { createFolder } from '../fixtures/folder.ts'
import { startApiServer } from '../fixtures/api-server.ts'
import { environmentOf } from '../fixtures/served.ts'
import { listening } from '../fixtures/listening.ts'
import { formatExternalIssuer, readEnvironment } from '../fixtures/simulate.ts'
import { freePort } from '../support/free-port.ts'
import { TOKEN } from '../fixtures/connection.ts'

const HOST = 'login.entra.example'

/** Starts the built command line. */
const startCli = (args: readonly string[], env: Readonly<Record<string, string>> = {}) =>
  startChild('dist/wimds.js', args, env)

test('the sidecar reaches Entra ID through an HTTP proxy with a password, and serves its status page', async () => {
  await using simulator = await createSimulator({ names: [HOST] })
  const credentials = 'me:secret'
  const routes = { [`${HOST}:443`]: Number(new URL(simulator.authorityHost).port) }
  await using proxy = await connectProxy({ routes, credentials })
  const [port, adminPort] = [await freePort(), await freePort()]
  await using sidecar = startCli(['serve'], {
    ...environmentOf(simulator),
    WIMDS_LISTEN: `127.0.0.1:${port}`,
    WIMDS_ADMIN_LISTEN: `127.0.0.1:${adminPort}`,
    AZURE_AUTHORITY_HOST: `https://${HOST}`,
    HTTPS_PROXY: `http://${credentials}@127.0.0.1:${proxy.port}`,
  })
  const status = async () => {
    const reply = await fetch(`http://127.0.0.1:${port}${TOKEN}`, { headers: { metadata: 'true' } })
    return reply.status
  }
  await expect.poll(() => status().catch(() => undefined)).toBe(200)
  expect(sidecar.hasEnded()).toBe(false)
  // The sidecar starts a second attempt if the first one takes long.
  expect(new Set(proxy.tunnels)).toEqual(new Set([`${HOST}:443`]))
  // The bundle must not garble the characters of the page.
  const page = await fetch(`http://127.0.0.1:${adminPort}/status`)
  expect(await page.text()).toMatch(/<title>[ -~]+ &ndash; wimds</)
})

test('the simulator reads the keys of an issuer that prefers HTTP/2', async () => {
  using directory = createFolder()
  const authority = await createCertificateAuthority()
  const { certPem, keyPem } = await authority.issue({ names: ['127.0.0.1'] })
  const issuer = await createIssuer('https://kubernetes.default.svc')
  const answer = async (path: string, response: Http2ServerResponse) => {
    const reply = await issuer.handler(new Request(`https://127.0.0.1${path}`))
    response.end(await reply.text())
  }
  const tls = { cert: certPem, key: keyPem, allowHTTP1: true }
  await using server = await listening(
    createSecureServer(tls, ({ url }, response) => void answer(url, response)),
  )
  const caFile = directory.write('ca.crt', authority.caPem)
  const origin = `https://127.0.0.1:${server.port}`
  const yaml = formatExternalIssuer('https://kubernetes.default.svc', origin, caFile)
  const config = directory.write('config.yaml', yaml)
  const args = ['simulate', '--dir', directory.path, '--config', config]
  await using simulator = startCli(args)
  await expect.poll(() => simulator.output()).toContain('ready')
  const assertion = directory.write('assertion', (await issuer.sign()).reveal())
  const env = await readEnvironment(directory.path)
  await using sidecar = startCli(['token', 'https://vault.azure.net'], {
    ...env,
    AZURE_FEDERATED_TOKEN_FILE: assertion,
    WIMDS_EXCHANGE_TIMEOUT: '60s',
  })
  await expect.poll(() => sidecar.output()).toMatch(/^eyJ/)
  expect(simulator.hasEnded()).toBe(false)
})

test('the webhook calls an API server, has metrics, and shuts down on SIGTERM', async () => {
  await using api = await startApiServer()
  const port = await freePort()
  const flags = [
    '--listen=127.0.0.1:0',
    `--admin-listen=127.0.0.1:${port}`,
    '--drain=0s',
    '--image-registry=r.example',
  ]
  await using webhook = startCli(['webhook', ...flags], api.access)
  await expect.poll(webhook.output).toContain('"event":"certificate_loaded"')
  expect((await fetch(`http://127.0.0.1:${port}/metrics`)).status).toBe(200)
  process.kill(webhook.pid, 'SIGTERM')
  await expect.poll(webhook.hasEnded).toBe(true)
  expect(webhook.output()).toContain('"event":"shutdown_complete"')
  expect(webhook.output()).not.toContain('webhook_error')
})

test('the image of the sidecar has few packages, and rejects commands that it does not have', async () => {
  const directory = 'dist/images/wimds'
  const { components } = JSON.parse(await readFile(`${directory}/sbom.cdx.json`, 'utf8'))
  const { packages } = JSON.parse(await readFile('package-lock.json', 'utf8'))
  const names = components.map(({ name }: { name: string }) => name)
  const { version } = packages['node_modules/@azure/msal-node']
  expect(components).toContainEqual(
    expect.objectContaining({ purl: `pkg:npm/%40azure/msal-node@${version}` }),
  )
  expect(names.filter((name: string) => name.startsWith('@kubernetes/'))).toEqual([])
  expect(names.length).toBeLessThanOrEqual(36)
  using image = createFolder()
  const files = (await readFile(`${directory}/files`, 'utf8')).trim().split('\n')
  for (const file of files) await cp(join('dist', file), image.file(file))
  const run = (...args: string[]) =>
    spawnSync(process.execPath, [image.file('wimds.js'), ...args], { encoding: 'utf8' })
  expect(run('webhook')).toMatchObject({
    status: 64,
    stderr: expect.stringMatching(/^wimds webhook: .*not part of this image\. Fix: /),
  })
  expect(run('doctor', 'shop/orders').stderr).toContain('not part of this image')
  expect(run('inject', '--help').stderr).toContain('not part of this image')
  expect(run('help').stdout).toMatch(/^ {2}serve /m)
  expect(run('help').stdout).not.toMatch(/^ {2}webhook /m)
  expect(run('doctor').stdout).toContain('no setting of a sidecar')
})

test.each([
  ['wimds', 'tools/token.mjs', /^(?:tools\/(?:inject|simulator|trust)|injection|node)\//m],
  ['wimds-cluster', 'injection/webhook/webhook.mjs', /^tools\//m],
])('the image %s has its commands, such as %s, and no others', async (image, command, others) => {
  const files = await readFile(`dist/images/${image}/files`, 'utf8')
  expect(files.split('\n')).toContain(command)
  expect(files).not.toMatch(others)
})
