/** The environment and the identities file → a configuration, or all mistakes at once. */
import { describe, expect, test } from 'vitest'
import { loadConfig } from '../../src/config/config.ts'
import { ConfigError } from '../../src/errors.ts'
import { createCertificateAuthority } from '../../src/lib/x509.ts'

const CLIENT = '11111111-1111-4111-8111-111111111111'
const OTHER = '44444444-4444-4444-8444-444444444444'
const BASE = {
  AZURE_CLIENT_ID: CLIENT.toUpperCase(),
  AZURE_TENANT_ID: 'Contoso.example',
  AZURE_FEDERATED_TOKEN_FILE: '/token',
}
const FILE = '/etc/wimds/identities.yaml'

const load = (env: Record<string, string> = {}, file?: string) =>
  loadConfig({ ...BASE, ...(file !== undefined && { WIMDS_CONFIG: FILE }), ...env }, (path) => {
    if (path !== FILE || file === undefined) return Promise.reject(new Error(`no ${path}`))
    return Promise.resolve(file)
  })

/** The mistakes that are told, one a line. */
async function mistakes(env: Record<string, string> = {}, file?: string): Promise<string[]> {
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

describe('the environment', () => {
  test('describes the one default identity, its ids in lower case', async () => {
    const { directory, tokenFiles, tenantId } = await load({
      WIMDS_PREFETCH: 'https://a, https://b',
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
    expect({ tokenFiles, tenantId }).toEqual({
      tokenFiles: ['/token'],
      tenantId: 'contoso.example',
    })
  })

  test('counts an empty variable as one that is not set', async () => {
    const { listen, directory } = await load({ WIMDS_LISTEN: '', AZURE_CLIENT_ID: '' })
    expect(listen).toEqual([{ host: '127.0.0.1', port: 8000 }])
    expect(directory).toMatchObject({ identities: [] })
  })

  test('lets unlisted client ids through unless told otherwise', async () => {
    expect((await load()).directory.unlisted?.(OTHER)).toMatchObject({ clientId: OTHER })
    const denied = await load({ WIMDS_UNLISTED_CLIENT_IDS: 'deny' })
    expect(denied.directory.unlisted).toBeUndefined()
  })

  test('warns of names that nothing reads, and not of Kubernetes’ own', async () => {
    const { warnings } = await load({ WIMDS_LISTEM: 'x', WIMDS_WEBHOOK_SERVICE_HOST: '10.0.0.1' })
    expect(warnings).toEqual(['WIMDS_LISTEM is not a setting of wimds and has no effect'])
  })

  test('tells all mistakes at once, each with its variable', async () => {
    const told = await mistakes({
      AZURE_CLIENT_ID: 'me',
      AZURE_TENANT_ID: 'common',
      AZURE_AUTHORITY_HOST: 'http://login.example',
      AZURE_FEDERATED_TOKEN_FILE: '',
      WIMDS_LISTEN: 'here',
      WIMDS_ADMIN_LISTEN: '[127.0.0.1]:1',
      WIMDS_MAX_CONNECTIONS: '0',
      WIMDS_EXCHANGE_TIMEOUT: '5',
      WIMDS_READY_AFTER_PREFETCH: 'yes',
      WIMDS_UNLISTED_CLIENT_IDS: 'maybe',
      WIMDS_REGION: 'West Europe',
    })
    expect(new Set(told.map((line) => line.split(':')[0]))).toEqual(
      new Set([
        'AZURE_CLIENT_ID',
        'AZURE_TENANT_ID',
        'AZURE_AUTHORITY_HOST',
        'AZURE_FEDERATED_TOKEN_FILE',
        'WIMDS_LISTEN',
        'WIMDS_ADMIN_LISTEN',
        'WIMDS_MAX_CONNECTIONS',
        'WIMDS_EXCHANGE_TIMEOUT',
        'WIMDS_READY_AFTER_PREFETCH',
        'WIMDS_UNLISTED_CLIENT_IDS',
        'WIMDS_REGION',
      ]),
    )
    expect(told).toHaveLength(11)
  })

  test.each([
    '999.1.1.1:80',
    '127.0.0.1/x:80',
    'me@host:80',
    'a host:80',
    '[fe80]:80',
    '1.1.1.1:70000',
  ])('takes no address that nothing could listen on, such as %s', async (address) => {
    expect((await mistakes({ WIMDS_LISTEN: address })).join()).toMatch(/^WIMDS_LISTEN: /)
  })

  test('takes addresses by name, by IPv4 and by IPv6', async () => {
    const { listen } = await load({ WIMDS_LISTEN: 'localhost:1, 127.1:2, [::1]:3' })
    expect(listen.map(({ host }) => host)).toEqual(['localhost', '127.1', '::1'])
  })

  test('takes a proxy without its scheme, and repeats nothing of a wrong one', async () => {
    const { exchange } = await load({ HTTPS_PROXY: 'me:secret@proxy:3128', NO_PROXY: '.corp' })
    expect(exchange.proxy?.url.reveal()).toBe('http://me:secret@proxy:3128')
    expect(exchange.proxy?.noProxy).toBe('.corp')
    expect(JSON.stringify(exchange)).not.toContain('secret')
    expect((await mistakes({ HTTPS_PROXY: 'socks5://me:secret@proxy' })).join()).not.toContain(
      'secret',
    )
  })

  test.each([
    ['http://proxy:3128/path', 'must be a host and a port alone'],
    ['http://me:pass/word@proxy:3128', 'must be the URL of a proxy'],
    ['http://me:100%@proxy:3128', 'must have each % in its user and password written as %25'],
  ])('takes no proxy that nothing could be sent to, such as %s', async (url, mistake) => {
    expect((await mistakes({ HTTPS_PROXY: url })).join()).toContain(`HTTPS_PROXY: ${mistake}`)
  })

  test.each([
    [{ WIMDS_REGION: 'westeurope', AZURE_REGIONAL_AUTHORITY_NAME: 'eastus' }, 'westeurope'],
    [{ AZURE_REGIONAL_AUTHORITY_NAME: 'eastus' }, 'eastus'],
  ])('takes the region of %j', async (env, region) => {
    expect((await load(env)).exchange.region).toBe(region)
  })
})

test.each([
  [{ AZURE_CLIENT_ID: '', WIMDS_PREFETCH: 'https://a' }, 'WIMDS_PREFETCH: is for the default'],
  [{ WIMDS_PREFETCH: 'https://a https://b' }, 'WIMDS_PREFETCH: must be a resource'],
  [{ WIMDS_PREFETCH: '"https://a"' }, 'WIMDS_PREFETCH: must be a resource'],
  [{ WIMDS_PREFETCH: `https://${'a'.repeat(3000)}` }, 'WIMDS_PREFETCH: must be a resource'],
  [{ WIMDS_ALLOWED_HOSTS: 'a,b:80' }, 'WIMDS_ALLOWED_HOSTS: must be hosts alone'],
  [{ WIMDS_ALLOWED_HOSTS: 'http://a/' }, 'WIMDS_ALLOWED_HOSTS: must be hosts alone'],
  [{ WIMDS_ALLOWED_HOSTS: '::1' }, 'WIMDS_ALLOWED_HOSTS: must be hosts alone'],
  [
    { WIMDS_REGION: 'westeurope', AZURE_AUTHORITY_HOST: 'https://[::1]:8443' },
    'WIMDS_REGION: has no meaning with the authority host [::1], an address',
  ],
])('tells that %j can have no effect', async (env, mistake) => {
  expect((await mistakes(env)).join()).toContain(mistake)
})

describe('groups of settings', () => {
  test('of the token proxy become one', async () => {
    const { caPem } = await createCertificateAuthority()
    const url = { AZURE_KUBERNETES_TOKEN_PROXY: 'https://proxy.example/path' }
    expect((await load(url)).exchange.tokenProxy).toEqual({ url: 'https://proxy.example/path' })
    const file = { ...url, AZURE_KUBERNETES_CA_FILE: '/ca', AZURE_KUBERNETES_SNI_NAME: 'sni' }
    expect((await load(file)).exchange.tokenProxy).toMatchObject({
      ca: { file: '/ca' },
      sniName: 'sni',
    })
    const data = { ...url, AZURE_KUBERNETES_CA_DATA: caPem }
    expect((await load(data)).exchange.tokenProxy).toMatchObject({ ca: { pem: caPem } })
  })

  test.each([
    [
      { AZURE_KUBERNETES_SNI_NAME: 'x' },
      'AZURE_KUBERNETES_TOKEN_PROXY: is missing; AZURE_KUBERNETES_SNI_NAME is of no use without it',
    ],
    [
      { AZURE_KUBERNETES_CA_FILE: '/x' },
      'AZURE_KUBERNETES_TOKEN_PROXY: is missing; AZURE_KUBERNETES_CA_FILE is of no use without it',
    ],
    [
      { AZURE_CLIENT_ID: '', WIMDS_UNLISTED_CLIENT_IDS: 'deny' },
      'AZURE_CLIENT_ID: is missing; WIMDS_UNLISTED_CLIENT_IDS denies all other client ids',
    ],
  ])('name what is missing beside %j', async (env, mistake) => {
    expect(await mistakes(env)).toEqual([mistake])
  })

  test('have either a CA file or CA data', async () => {
    const { caPem } = await createCertificateAuthority()
    expect(
      await mistakes({
        AZURE_KUBERNETES_TOKEN_PROXY: 'https://x',
        AZURE_KUBERNETES_CA_FILE: '/ca',
        AZURE_KUBERNETES_CA_DATA: caPem,
      }),
    ).toEqual(['AZURE_KUBERNETES_CA_DATA: cannot be set beside AZURE_KUBERNETES_CA_FILE'])
  })

  test.each([
    ['http://x', 'must start with https://'],
    ['https://me@x', 'must hold no credentials'],
    ['https://x?', 'must have no query'],
    ['https://x?a=b', 'must have no query'],
    ['https://x#', 'must have no fragment'],
    ['x', 'must be a URL'],
  ])('take no token proxy %s', async (url, mistake) => {
    expect((await mistakes({ AZURE_KUBERNETES_TOKEN_PROXY: url })).join()).toContain(mistake)
  })

  test.each(['', 'x', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----'])(
    'take no certificates %j',
    async (data) => {
      const env = { AZURE_KUBERNETES_TOKEN_PROXY: 'https://x', AZURE_KUBERNETES_CA_DATA: data }
      expect(await mistakes(env)).toEqual(
        data === '' ? [] : ['AZURE_KUBERNETES_CA_DATA: must hold PEM certificates'],
      )
    },
  )
})

describe('the identities file', () => {
  test('fills in from the environment what an identity does not say', async () => {
    const { directory, tokenFiles } = await load(
      { WIMDS_PREFETCH: 'https://c' },
      `identities:
  - {clientId: ${CLIENT}, default: true, prefetch: [https://b]}
  - {name: other, clientId: ${OTHER}, tenantId: fabrikam.example, tokenFile: /other,
     authorityHost: "https://login.microsoftonline.us/", resources: [HTTPS://A/, https://b/.default]}
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

  test('alone says which identity is the default', async () => {
    const { directory } = await load(
      {},
      `identities: [{clientId: ${CLIENT}}, {clientId: ${OTHER}}]`,
    )
    expect(directory.defaultIdentity).toBeUndefined()
  })

  test('of one identity needs no mark for the default', async () => {
    const env = { WIMDS_PREFETCH: 'https://a' }
    const { directory } = await load(env, `identities: [{clientId: ${OTHER}}]`)
    expect(directory.defaultIdentity).toMatchObject({ clientId: OTHER, prefetch: ['https://a'] })
    const two = `identities: [{clientId: ${CLIENT}}, {clientId: ${OTHER}}]`
    expect((await mistakes(env, two)).join()).toContain('WIMDS_PREFETCH: is for the default')
  })

  test('lets the environment go without tenant and token file if each identity has its own', async () => {
    const env = { AZURE_CLIENT_ID: '', AZURE_TENANT_ID: '', AZURE_FEDERATED_TOKEN_FILE: '' }
    const own = `{clientId: ${CLIENT}, tenantId: a.example, tokenFile: /own}`
    expect(await load(env, `identities: [${own}]`)).toMatchObject({
      tokenFiles: ['/own'],
      tenantId: 'a.example',
    })
    expect(await mistakes(env, `identities: [${own}, {clientId: ${OTHER}}]`)).toEqual([
      expect.stringMatching(/identities\[1\]\.tenantId: is missing; set it, or AZURE_TENANT_ID/),
      expect.stringMatching(/identities\[1\]\.tokenFile: is missing/),
    ])
    const open = { ...env, WIMDS_UNLISTED_CLIENT_IDS: 'allow' }
    expect((await mistakes(open, `identities: [${own}]`)).join()).toMatch(/AZURE_TENANT_ID/)
  })

  test('tells all its mistakes beside those of the environment, each with its place', async () => {
    const told = await mistakes(
      { WIMDS_DRAIN: 'soon' },
      `identities:
  - clientId: 1
    colour: red
  - clientId: me
    default: no way
  - name: nobody
`,
    )
    expect(told).toEqual([
      'WIMDS_DRAIN: must be a duration such as 500ms, 10s or 5m, not "soon"',
      `WIMDS_CONFIG: ${FILE}:2:15: identities[0].clientId: must be text`,
      `WIMDS_CONFIG: ${FILE}:3:13: identities[0].colour: is not a known setting`,
      `WIMDS_CONFIG: ${FILE}:4:15: identities[1].clientId: must be a GUID, not "me"`,
      `WIMDS_CONFIG: ${FILE}:5:14: identities[1].default: must be true or false`,
      `WIMDS_CONFIG: ${FILE}:6:5: identities[2].clientId: is missing`,
    ])
  })

  test('says how many of its mistakes it does not tell', async () => {
    const told = await mistakes({}, `identities:\n${'  - {}\n'.repeat(25)}`)
    expect(told).toHaveLength(21)
    expect(told.at(-1)).toBe(`WIMDS_CONFIG: ${FILE}: and 5 more`)
  })

  test('tells what is wrong between identities', async () => {
    const told = await mistakes(
      {},
      `identities:
  - {name: a, clientId: ${CLIENT}, default: true, resources: [https://a], prefetch: [https://b]}
  - {name: a, clientId: ${CLIENT}, default: true}
`,
    )
    expect(told.map((line) => line.replace(/^.*?identities\[/, 'identities['))).toEqual([
      expect.stringMatching(/^identities\[0\]\.prefetch\[0\]: is not one of its resources/),
      expect.stringMatching(/^identities\[1\]\.name: is that of identities\[0\]/),
      expect.stringMatching(/^identities\[1\]\.clientId: is that of identities\[0\]/),
      expect.stringMatching(/^identities\[1\]\.default: is set for identities\[0\] too/),
    ])
  })

  test('gives no identity the client id of another as its name', async () => {
    const file = `identities: [{clientId: ${CLIENT}}, {name: ${CLIENT}, clientId: ${OTHER}}]`
    expect((await mistakes({}, file)).join()).toContain('name: is the client id of identities[0]')
  })

  test('is not asked to prefetch what the default identity may not have', async () => {
    const file = `identities: [{clientId: ${CLIENT}, default: true, resources: [https://a]}]`
    expect(await mistakes({ WIMDS_PREFETCH: 'https://a/,https://b' }, file)).toEqual([
      "WIMDS_PREFETCH: https://b is not one of the default identity's resources",
    ])
  })

  test.each([
    ['no YAML', 'identities: [', /:1:\d+: is not YAML: /],
    ['a key given twice', 'identities: []\nidentities: []', /:2:1: is not YAML: /],
    ['nothing', '', /must be a mapping|is missing/],
    ['a list', '[]', /must be a mapping/],
  ])('says what is wrong with %s', async (_, file, mistake) => {
    expect((await mistakes({}, file)).join()).toMatch(mistake)
  })

  test('says so when it cannot be read', async () => {
    expect(await mistakes({ WIMDS_CONFIG: '/nowhere.yaml' })).toEqual([
      'WIMDS_CONFIG: /nowhere.yaml cannot be read',
    ])
  })
})
