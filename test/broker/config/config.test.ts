/** Reads the environment and the identities file into a configuration, or reports all problems at once. */
import { describe, expect, test } from 'vitest'
import { loadConfig, loadProcessConfig } from '../../../src/broker/config/config.ts'
import { ConfigError } from '../../../src/lib/errors.ts'
import { createCertificateAuthority } from '../../../src/lib/x509.ts'
import { createFolder } from '../../fixtures/folder.ts'

const CLIENT = '11111111-1111-4111-8111-111111111111'
const OTHER = '44444444-4444-4444-8444-444444444444'
const BASE = {
  AZURE_CLIENT_ID: CLIENT.toUpperCase(),
  AZURE_TENANT_ID: 'Contoso.example',
  AZURE_FEDERATED_TOKEN_FILE: '/token',
}
const FILE = '/etc/wimds/identities.yaml'
const BROKEN_CA = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'

const load = (env: Record<string, string> = {}, file?: string) =>
  loadConfig({ ...BASE, ...(file !== undefined && { WIMDS_CONFIG: FILE }), ...env }, (path) => {
    if (path !== FILE || file === undefined) return Promise.reject(new Error(`no ${path}`))
    return Promise.resolve(file)
  })

/** Returns the problems that loading reports. */
async function loadProblems(env: Record<string, string> = {}, file?: string): Promise<string[]> {
  try {
    await load(env, file)
    return []
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return error.message
      .split('\n')
      .slice(1)
      .map((line) => line.trim())
  }
}

/** Returns the settings of the problems, in their order. */
const namesIn = (problems: readonly string[]) => problems.map((line) => line.split(':', 1)[0])

/** Returns the members of the identities file that the problems name. */
const entriesIn = (problems: readonly string[]) =>
  problems.map((line) => /identities\[\S+(?=: )/.exec(line)?.[0])

describe('the environment', () => {
  test('describes the default identity, with lower-case ids', async () => {
    const { directory, tokenFiles, tenantId, isInPod } = await load({
      WIMDS_PREFETCH: 'https://a, https://b',
      KUBERNETES_SERVICE_HOST: '10.0.0.1',
    })
    expect(directory.identities).toEqual([
      {
        name: 'default',
        clientId: CLIENT,
        tenantId: 'contoso.example',
        authorityHost: 'https://login.microsoftonline.com',
        tokenFile: '/token',
        prefetch: ['https://a', 'https://b'],
      },
    ])
    expect(directory.defaultIdentity).toBe(directory.identities[0])
    expect({ tokenFiles, tenantId, isInPod }).toEqual({
      tokenFiles: ['/token'],
      tenantId: 'contoso.example',
      isInPod: true,
    })
  })

  test('treats an empty variable as unset', async () => {
    const { listen, directory, isInPod } = await load({ WIMDS_LISTEN: '', AZURE_CLIENT_ID: '' })
    expect({ listen, isInPod }).toEqual({
      listen: [{ host: '127.0.0.1', port: 64169 }],
      isInPod: false,
    })
    expect(directory.identities).toEqual([])
  })

  test('allows unlisted client ids by default', async () => {
    expect((await load()).directory.unlisted?.(OTHER)).toMatchObject({ clientId: OTHER })
    const denied = await load({ WIMDS_UNLISTED_CLIENT_IDS: 'deny' })
    expect(denied.directory.unlisted).toBeUndefined()
  })

  test('warns of unknown WIMDS_ names except service links of Kubernetes, and of unverified TLS', async () => {
    const { warnings } = await load({
      WIMDS_LISTEM: 'x',
      WIMDS_OTHER_PROGRAM: 'x',
      WIMDS_WEBHOOK_SERVICE_HOST: '10.0.0.1',
      NODE_TLS_REJECT_UNAUTHORIZED: '0',
    })
    expect(warnings).toEqual([
      expect.stringMatching(/^WIMDS_LISTEM .* Did you mean WIMDS_LISTEN\?$/),
      expect.stringMatching(/^WIMDS_OTHER_PROGRAM .* no effect$/),
      expect.stringContaining('NODE_TLS_REJECT_UNAUTHORIZED=0'),
    ])
  })

  test('reports all problems at once', async () => {
    const env = { AZURE_CLIENT_ID: 'me', AZURE_TENANT_ID: 'common', WIMDS_LISTEN: 'here' }
    expect(namesIn(await loadProblems(env))).toEqual(Object.keys(env))
  })

  test('requires WIMDS_LISTEN_ON_NETWORK for an address that is reachable from the network', async () => {
    const env = { WIMDS_LISTEN: 'localhost:1, 127.1:2, [::1]:3, node.example:80' }
    expect(namesIn(await loadProblems(env))).toEqual(['WIMDS_LISTEN'])
    const { listen } = await load({ ...env, WIMDS_LISTEN_ON_NETWORK: 'true' })
    expect(listen.map(({ host }) => host)).toEqual(['localhost', '127.1', '::1', 'node.example'])
  })

  test('accepts a region and a proxy without a scheme, and does not repeat an invalid proxy', async () => {
    const { exchange } = await load({
      HTTPS_PROXY: 'me:secret@proxy:3128',
      NO_PROXY: '.corp',
      AZURE_REGIONAL_AUTHORITY_NAME: 'eastus',
    })
    expect(exchange.region).toBe('eastus')
    expect(exchange.proxy?.url.reveal()).toBe('http://me:secret@proxy:3128')
    expect(exchange.proxy?.noProxy).toBe('.corp')
    expect(JSON.stringify(exchange)).not.toContain('secret')
    expect((await loadProblems({ HTTPS_PROXY: 'socks5://me:secret@proxy' })).join()).not.toContain(
      'secret',
    )
  })
})

/** Invalid values, each rejected for another reason. */
const REJECTED: Readonly<Record<string, readonly string[]>> = {
  AZURE_AUTHORITY_HOST: ['http://login.example'],
  AZURE_FEDERATED_TOKEN_FILE: ['', 'eyJhbGciOiJSUzI1NiJ9.eyJhIjoxfQ.c2lnbmF0dXJl'],
  AZURE_REGIONAL_AUTHORITY_NAME: ['West Europe'],
  WIMDS_ADMIN_LISTEN: ['[127.0.0.1]:1'],
  WIMDS_EXCHANGE_TIMEOUT: ['5'],
  WIMDS_MAX_CONNECTIONS: ['0'],
  WIMDS_AUDIT_LOG: ['yes'],
  WIMDS_UNLISTED_CLIENT_IDS: ['maybe'],
  WIMDS_LISTEN: ['999.1.1.1:80', '127.0.0.1/x:80', '[fe80]:80', '[::1%lo]:80', '1.1.1.1:70000'],
  WIMDS_PREFETCH: ['https://a https://b', `https://${'a'.repeat(3000)}`],
  WIMDS_ALLOWED_HOSTS: ['a,b:80', 'http://a/', '::1'],
  WIMDS_IDENTITY_HEADER: ['sekrit\n', ' sekrit', 'sékrit'],
  WIMDS_INSTANCE: ['5', '[]', '{'],
  WIMDS_PASS_THROUGH: ['/metadata/identity', '/metadata/instance,here'],
  HTTPS_PROXY: [
    'http://proxy:3128/path',
    'http://me:pass/word@proxy:3128',
    'http://me:100%@proxy:3128',
  ],
  AZURE_KUBERNETES_TOKEN_PROXY: ['http://x', 'https://me@x', 'https://x?', 'https://x#', 'x'],
  AZURE_KUBERNETES_SNI_NAME: ['10.0.0.1', 'a b', 'münchen', '.', '*.x'],
}

test.each(
  Object.entries(REJECTED).flatMap(([name, values]) => values.map((value) => [name, value])),
)('%s rejects %j', async (name = '', value = '') => {
  const env = { AZURE_KUBERNETES_TOKEN_PROXY: 'https://x', [name]: value }
  expect(namesIn(await loadProblems(env))).toEqual([name])
})

describe('settings that belong together', () => {
  test('configure the token proxy', async () => {
    const { caPem } = await createCertificateAuthority()
    const url = { AZURE_KUBERNETES_TOKEN_PROXY: 'https://proxy.example/path' }
    expect((await load(url)).exchange.tokenProxy).toEqual({ url: 'https://proxy.example/path' })
    using directory = createFolder()
    const ca = directory.write('ca.pem', caPem)
    const file = { ...url, AZURE_KUBERNETES_CA_FILE: ca, AZURE_KUBERNETES_SNI_NAME: 'sni' }
    expect((await load(file)).exchange.tokenProxy).toMatchObject({
      ca: { file: ca, pem: caPem },
      sniName: 'sni',
    })
    const data = { ...url, AZURE_KUBERNETES_CA_DATA: caPem }
    expect((await load(data)).exchange.tokenProxy).toMatchObject({ ca: { pem: caPem } })
    expect(namesIn(await loadProblems({ ...file, ...data }))).toEqual(['AZURE_KUBERNETES_CA_DATA'])
  })

  test.each([
    [{ AZURE_KUBERNETES_SNI_NAME: 'x' }, 'AZURE_KUBERNETES_TOKEN_PROXY'],
    [{ AZURE_KUBERNETES_CA_FILE: 'x' }, 'AZURE_KUBERNETES_TOKEN_PROXY'],
    [{ AZURE_CLIENT_ID: '', WIMDS_PREFETCH: 'https://a' }, 'WIMDS_PREFETCH'],
    [{ AZURE_CLIENT_ID: '', WIMDS_UNLISTED_CLIENT_IDS: 'deny' }, 'AZURE_CLIENT_ID'],
    [
      { AZURE_REGIONAL_AUTHORITY_NAME: 'westeurope', AZURE_AUTHORITY_HOST: 'https://[::1]:8443' },
      'AZURE_REGIONAL_AUTHORITY_NAME',
    ],
    [
      {
        AZURE_KUBERNETES_TOKEN_PROXY: 'https://x',
        AZURE_KUBERNETES_CA_DATA: BROKEN_CA,
      },
      'AZURE_KUBERNETES_CA_DATA',
    ],
  ])('are rejected as %j, by the problem of %s', async (env, name) => {
    expect(namesIn(await loadProblems(env))).toEqual([name])
  })
})

test('a process without a token proxy does not read the CA file of one', async () => {
  const env = { AZURE_KUBERNETES_CA_FILE: '/nonexistent/ca' }
  expect((await loadProcessConfig(env)).exchange.tokenProxy).toBeUndefined()
})

describe('the identities file', () => {
  test('takes the missing values of an identity from the environment', async () => {
    const { directory, tokenFiles } = await load(
      { WIMDS_PREFETCH: 'https://c' },
      `identities:
  - {clientId: ${CLIENT}, default: true, prefetch: [https://b]}
  - {name: other, clientId: ${OTHER}, tenantId: fabrikam.example, tokenFile: /other,
     objectId: AAAAAAAA-AAAA-4AAA-8AAA-AAAAAAAAAAAA, resourceId: /Subscriptions/S/Other,
     authorityHost: "https://login.microsoftonline.us/", resources: [HTTPS://A//, https://b/.DEFAULT]}
`,
    )
    expect(directory.identities).toEqual([
      {
        name: CLIENT,
        clientId: CLIENT,
        tenantId: 'contoso.example',
        authorityHost: 'https://login.microsoftonline.com',
        tokenFile: '/token',
        prefetch: ['https://b', 'https://c'],
      },
      {
        name: 'other',
        clientId: OTHER,
        objectId: 'aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa',
        resourceId: '/subscriptions/s/other',
        tenantId: 'fabrikam.example',
        authorityHost: 'https://login.microsoftonline.us',
        tokenFile: '/other',
        prefetch: [],
        resources: ['https://a', 'https://b'],
      },
    ])
    expect(directory.defaultIdentity?.clientId).toBe(CLIENT)
    expect(directory.unlisted).toBeUndefined()
    expect(tokenFiles).toEqual(['/token', '/other'])
  })

  test('makes a single identity the default', async () => {
    const env = { WIMDS_PREFETCH: 'https://a' }
    const { directory } = await load(env, `identities: [{clientId: ${OTHER}}]`)
    expect(directory.defaultIdentity).toMatchObject({ clientId: OTHER, prefetch: ['https://a'] })
    const two = `identities: [{clientId: ${CLIENT}}, {clientId: ${OTHER}}]`
    expect((await load({}, two)).directory.defaultIdentity).toBeUndefined()
    expect(namesIn(await loadProblems(env, two))).toEqual(['WIMDS_PREFETCH'])
  })

  test('requires no tenant and token file in the environment if each identity has its own', async () => {
    const env = { AZURE_CLIENT_ID: '', AZURE_TENANT_ID: '', AZURE_FEDERATED_TOKEN_FILE: '' }
    const own = `{clientId: ${CLIENT}, tenantId: a.example, tokenFile: /own}`
    expect(await load(env, `identities: [${own}]`)).toMatchObject({
      tokenFiles: ['/own'],
      tenantId: 'a.example',
    })
    expect(
      entriesIn(await loadProblems(env, `identities: [${own}, {clientId: ${OTHER}}]`)),
    ).toEqual(['identities[1].tenantId', 'identities[1].tokenFile'])
    const open = { ...env, WIMDS_UNLISTED_CLIENT_IDS: 'allow' }
    expect(namesIn(await loadProblems(open, `identities: [${own}]`))).toContain('AZURE_TENANT_ID')
  })

  test('reports its problems with line and column', async () => {
    const problems = await loadProblems(
      {},
      `identities:
  - clientId: 1
    colour: red
    defualt: true
  - clientId: me
    default: no way
  - name: nobody
`,
    )
    expect(problems).toEqual([
      `WIMDS_CONFIG: ${FILE}:2:15: identities[0].clientId: must be text`,
      `WIMDS_CONFIG: ${FILE}:3:13: identities[0].colour: is not a known setting`,
      `WIMDS_CONFIG: ${FILE}:4:14: identities[0].defualt: is not a known setting. Did you mean default?`,
      `WIMDS_CONFIG: ${FILE}:5:15: identities[1].clientId: must be a GUID, not "me"`,
      `WIMDS_CONFIG: ${FILE}:6:14: identities[1].default: must be true or false`,
      `WIMDS_CONFIG: ${FILE}:7:5: identities[2].clientId: is missing`,
    ])
  })

  test('reports a key that is not a word, shortened and on one line', async () => {
    const problems = await loadProblems({}, `? identities:\n    - ${'a'.repeat(90)}\n: 1\n`)
    expect(problems).toEqual([
      expect.stringMatching(/: identities: is missing$/),
      expect.stringMatching(/:1:1: "\{[^\n]{1,30}…": is not a known setting$/),
    ])
  })

  test('rejects an alias, which can expand a short file to any number of values', async () => {
    const resources = `[${'1,'.repeat(1900)}]`
    const file = `identities:\n  - &x { clientId: ${CLIENT}, resources: ${resources} }\n${'  - *x\n'.repeat(70)}`
    expect(await loadProblems({}, file)).toEqual([expect.stringContaining(':3:5: is an alias')])
  })

  test('reports conflicts between identities', async () => {
    const problems = await loadProblems(
      {},
      `identities:
  - {name: a, clientId: ${CLIENT}, default: true, resources: [https://a], prefetch: [https://b]}
  - {name: a, clientId: ${CLIENT}, default: true}
`,
    )
    expect(entriesIn(problems)).toEqual([
      'identities[0].prefetch[0]',
      'identities[1].name',
      'identities[1].clientId',
      'identities[1].default',
    ])
    const named = `identities: [{clientId: ${CLIENT}}, {name: ${CLIENT}, clientId: ${OTHER}}]`
    expect(entriesIn(await loadProblems({}, named))).toEqual(['identities[1].name'])
  })

  test('reports a resource of WIMDS_PREFETCH that it does not allow, with the other problems', async () => {
    const file = `identities: [{clientId: ${CLIENT}, default: true, resources: [https://a]}]`
    const env = { WIMDS_PREFETCH: 'https://a/,https://b', WIMDS_CA_FILE: '/nowhere' }
    const problems = await loadProblems(env, file)
    expect(namesIn(problems)).toEqual(['WIMDS_CA_FILE', 'WIMDS_PREFETCH'])
    expect(problems[1]).toContain('https://b')
  })

  test.each([
    ['invalid YAML', 'identities: [', /:1:\d+: is not YAML: /],
    ['two documents', 'identities: []\n---\nidentities: []', /:2:1: has more than one document/],
    ['a repeated key', 'identities: []\nidentities: []', /:2:1: repeats a key/],
    ['a list', '[]', /must be a mapping/],
    [
      '20 problems',
      `identities:\n${'  - {}\n'.repeat(25)}`,
      /^(WIMDS_CONFIG[^,]*,){20}[^,]* and more$/,
    ],
  ])('reports %s', async (_, file, problem) => {
    expect((await loadProblems({}, file)).join()).toMatch(problem)
  })
})

test.each(['WIMDS_CONFIG', 'WIMDS_CA_FILE', 'AZURE_KUBERNETES_CA_FILE'])(
  'the file of %s is reported if it cannot be read',
  async (name) => {
    const env = { AZURE_KUBERNETES_TOKEN_PROXY: 'https://x', [name]: '/nonexistent/file' }
    expect(await loadProblems(env)).toEqual([
      expect.stringContaining(`${name}: cannot read /nonexistent/file: no `),
    ])
  },
)

test('the file of WIMDS_CA_FILE is read into the configuration, and reported if it has no CA', async () => {
  using directory = createFolder()
  const { caPem } = await createCertificateAuthority()
  const env = { WIMDS_CA_FILE: directory.write('file', caPem) }
  expect((await load(env)).exchange.extraCa?.pem).toBe(caPem)
  for (const text of ['nothing to trust', BROKEN_CA]) {
    directory.write('file', text)
    expect(namesIn(await loadProblems(env))).toEqual(['WIMDS_CA_FILE'])
  }
})

test('there is no instance document without WIMDS_INSTANCE', async () => {
  expect((await load({})).instance).toBeUndefined()
})

test.each([
  ['https://login.partner.microsoftonline.cn', { zone: '2' }, 'AzureChinaCloud'],
  ['https://login.microsoftonline.com', { azEnvironment: '', zone: '2' }, ''],
  ['https://login.airgap.example:8443', { zone: '2' }, undefined],
])(
  'with the login host %s and the compute %j, the instance document has the azEnvironment %j',
  async (host, compute, expected) => {
    const WIMDS_INSTANCE = JSON.stringify({ compute, network: 'x' })
    const { instance } = await load({ AZURE_AUTHORITY_HOST: host, WIMDS_INSTANCE })
    expect(instance).toEqual({ compute: { azEnvironment: expected, zone: '2' }, network: 'x' })
  },
)
