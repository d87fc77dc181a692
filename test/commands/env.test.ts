/** `wimds env`: the variables of each set, in each format, and the sets that it refuses to combine. */
import { execFileSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { once } from 'node:events'
import { X509Certificate } from 'node:crypto'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { env } from '../../src/commands/env/env.ts'
import { conflictsOf, ENDPOINT_SETS, SET_NAMES, SWITCHES } from '../../src/sdk-variables.ts'
import { createCertificateAuthority } from '../../src/lib/x509.ts'
import { portOf } from '../fixtures/listening.ts'
import { captureIo } from './capture.ts'

const HEADER = { WIMDS_IDENTITY_HEADER: "it's a $ecret" }

async function printed(args: readonly string[], environment: Record<string, string> = {}) {
  const io = captureIo(environment)
  expect(await env(args, io)).toBe(0)
  return io.out()
}

/** What a container's env would be. */
async function variables(args: readonly string[], environment: Record<string, string> = {}) {
  const list: { name: string; value: string }[] = parse(
    await printed([...args, '--format', 'yaml'], environment),
  )
  const { NO_PROXY, no_proxy, ...others } = Object.fromEntries(
    list.map(({ name, value }) => [name, value]),
  )
  expect(NO_PROXY).toContain('169.254.169.254')
  expect(no_proxy).toContain('169.254.169.254')
  return others
}

test.each([
  ['imds', {}, { AZURE_POD_IDENTITY_AUTHORITY_HOST: 'http://127.0.0.1:8000' }],
  [
    'app-service',
    HEADER,
    { IDENTITY_ENDPOINT: 'http://127.0.0.1:8000/msi/token', IDENTITY_HEADER: "it's a $ecret" },
  ],
  [
    'app-service-2017',
    HEADER,
    { MSI_ENDPOINT: 'http://127.0.0.1:8000/msi/token', MSI_SECRET: "it's a $ecret" },
  ],
  [
    'azure-ml',
    { ...HEADER, AZURE_CLIENT_ID: '11111111-1111-4111-8111-111111111111' },
    {
      MSI_ENDPOINT: 'http://127.0.0.1:8000/msi/token',
      MSI_SECRET: "it's a $ecret",
      DEFAULT_IDENTITY_CLIENT_ID: '11111111-1111-4111-8111-111111111111',
    },
  ],
  [
    'cloud-shell',
    { WIMDS_LISTEN: '0.0.0.0:50342,127.0.0.1:8000' },
    { MSI_ENDPOINT: 'http://127.0.0.1:50342/oauth2/token' },
  ],
  [
    'arc',
    { WIMDS_ARC_LISTEN: '[::1]:40342' },
    {
      IDENTITY_ENDPOINT: 'http://[::1]:40342/metadata/identity/oauth2/token',
      IMDS_ENDPOINT: 'http://[::1]:40342',
    },
  ],
])('prints the set %s', async (set, environment, expected) => {
  expect(await variables(['--for', set], environment)).toEqual(expected)
})

test('prints the thumbprint of the Service Fabric certificate that is given', async () => {
  await using directory = await temporary()
  const { certPem } = await certificate()
  const file = join(directory.path, 'cert.pem')
  await writeFile(file, certPem)
  const environment = {
    ...HEADER,
    WIMDS_SERVICE_FABRIC_LISTEN: '127.0.0.1:2377',
    WIMDS_SERVICE_FABRIC_CERT_FILE: file,
    WIMDS_SERVICE_FABRIC_KEY_FILE: 'key.pem',
  }
  expect(await variables(['--for', 'service-fabric'], environment)).toEqual({
    IDENTITY_ENDPOINT: 'https://127.0.0.1:2377/metadata/identity/oauth2/token',
    IDENTITY_HEADER: HEADER.WIMDS_IDENTITY_HEADER,
    IDENTITY_SERVER_THUMBPRINT: new X509Certificate(certPem).fingerprint.replaceAll(':', ''),
  })
})

test('asks the running sidecar for the thumbprint of a certificate that it made', async () => {
  const { certPem, keyPem } = await certificate()
  const server = createServer({ cert: certPem, key: keyPem }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const environment = { ...HEADER, WIMDS_SERVICE_FABRIC_LISTEN: `127.0.0.1:${portOf(server)}` }
  try {
    expect(await variables(['--for', 'service-fabric'], environment)).toMatchObject({
      IDENTITY_SERVER_THUMBPRINT: new X509Certificate(certPem).fingerprint.replaceAll(':', ''),
    })
  } finally {
    server.close()
  }
  await once(server, 'close')
  await expect(env(['--for', 'service-fabric'], captureIo(environment))).rejects.toThrow(
    'no sidecar answers',
  )
})

test('chooses imds by itself, and App Service too where its secret is', async () => {
  expect(Object.keys(await variables([]))).toEqual(['AZURE_POD_IDENTITY_AUTHORITY_HOST'])
  expect(Object.keys(await variables([], HEADER))).toEqual([
    'AZURE_POD_IDENTITY_AUTHORITY_HOST',
    'IDENTITY_ENDPOINT',
    'IDENTITY_HEADER',
  ])
})

test('is taken by a shell to the letter, and takes away what was set before', async () => {
  const script = await printed(['--for', 'app-service'], HEADER)
  const out = execFileSync(
    'sh',
    ['-c', `${script}\nprintf '%s|%s' "$IDENTITY_HEADER" "$MSI_ENDPOINT"`],
    {
      env: { MSI_ENDPOINT: 'http://old', PATH: process.env['PATH'] ?? '' },
      encoding: 'utf8',
    },
  )
  expect(out).toBe("it's a $ecret|")
})

test('keeps the hosts that were never to be proxied', async () => {
  const out = await printed(['--format', 'dotenv'], { NO_PROXY: 'a.example, localhost' })
  expect(out).toMatch(/^NO_PROXY='?a\.example, ?localhost,169\.254\.169\.254/m)
})

test.each([
  ['upper', { NO_PROXY: '.corp' }],
  ['lower', { no_proxy: '.corp' }],
])('takes those of NO_PROXY in %s case for both', async (_, environment) => {
  const value = '.corp,169.254.169.254,localhost,127.0.0.1'
  const out = await printed([], environment)
  expect(out).toContain(`export NO_PROXY=${value}\nexport no_proxy=${value}\n`)
})

test('leaves a proxy for no host at that', async () => {
  const out = await printed([], { no_proxy: '*' })
  expect(out).toContain(`export NO_PROXY='*'\nexport no_proxy='*'\n`)
})

test('unsets or sets each switch, and no other', async () => {
  for (const set of SET_NAMES) {
    const names = Object.keys(
      ENDPOINT_SETS[set]({
        origin: 'o',
        identityHeader: 'h',
        arcOrigin: 'a',
        fabricOrigin: 'f',
        thumbprint: 't',
        clientId: 'c',
      }),
    )
    expect(SWITCHES).toEqual(expect.arrayContaining(names))
  }
})

test.each([
  [['app-service', 'arc'], 'IDENTITY_ENDPOINT'],
  [['app-service', 'service-fabric'], 'IDENTITY_ENDPOINT'],
  [['arc', 'service-fabric'], 'IDENTITY_ENDPOINT'],
  [['app-service-2017', 'cloud-shell'], 'MSI_ENDPOINT'],
  [['azure-ml', 'cloud-shell'], 'MSI_ENDPOINT'],
  [['app-service', 'cloud-shell'], 'looks for first'],
  [['arc', 'cloud-shell'], 'looks for first'],
  [['service-fabric', 'app-service-2017'], 'looks for first'],
] as const)('refuses %j together and says why', async (sets, reason) => {
  const args = sets.flatMap((set) => ['--for', set])
  await expect(env(args, captureIo(HEADER))).rejects.toThrow(reason)
  expect(conflictsOf(sets)).toHaveLength(1)
})

test.each([
  ['imds', 'arc'],
  ['imds', 'cloud-shell'],
  ['app-service', 'app-service-2017'],
] as const)('combines %s and %s', (...sets) => {
  expect(conflictsOf(sets)).toEqual([])
})

test.each([
  ['app-service', 'WIMDS_IDENTITY_HEADER'],
  ['app-service-2017', 'WIMDS_IDENTITY_HEADER'],
  ['arc', 'WIMDS_ARC_LISTEN'],
  ['service-fabric', 'WIMDS_SERVICE_FABRIC_LISTEN'],
])('says that %s is off without %s', async (set, name) => {
  await expect(env(['--for', set], captureIo())).rejects.toThrow(`${set} is off: set ${name}`)
})

test.each([
  [['--for', 'nothing'], '--for nothing: must be one of imds'],
  [['--format', 'xml'], '--format xml: must be shell, dotenv or yaml'],
])('refuses %j', async (args, message) => {
  await expect(env(args, captureIo())).rejects.toThrow(message)
})

async function certificate() {
  const authority = await createCertificateAuthority()
  return authority.issue({ names: ['localhost'] })
}

async function temporary() {
  const path = await mkdtemp(join(tmpdir(), 'wimds-env-'))
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true }) }
}
