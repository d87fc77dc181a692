/** The environment and the identities file → a configuration, or all problems at once. */
import { describe, expect, test } from 'vitest'
import { loadConfig, loadProcessConfig } from '../../../src/broker/config/config.ts'
import { ConfigError } from '../../../src/lib/errors.ts'
import { createCertificateAuthority } from '../../../src/lib/x509.ts'
import { createFolder } from '../../fixtures/folder.ts'
import { namedPipe } from '../../fixtures/pipe.ts'

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

describe('the environment', () => {
  test.each([
    [true, { KUBERNETES_SERVICE_HOST: '10.0.0.1' }],
    [false, {}],
  ])('says whether this is a pod: %s with %o', async (isInPod, env) => {
    expect((await load(env)).isInPod).toBe(isInPod)
  })

  test('describes the default identity, with lower-case ids', async () => {
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

  test('treats an empty variable as unset', async () => {
    const { listen, directory } = await load({ WIMDS_LISTEN: '', AZURE_CLIENT_ID: '' })
    expect(listen).toEqual([{ host: '127.0.0.1', port: 64169 }])
    expect(directory).toMatchObject({ identities: [] })
  })

  test('allows unlisted client ids by default', async () => {
    expect((await load()).directory.unlisted?.(OTHER)).toMatchObject({ clientId: OTHER })
    const denied = await load({ WIMDS_UNLISTED_CLIENT_IDS: 'deny' })
    expect(denied.directory.unlisted).toBeUndefined()
  })

  test('warns of unknown WIMDS_ names except service links of Kubernetes', async () => {
    const { warnings } = await load({ WIMDS_LISTEM: 'x', WIMDS_WEBHOOK_SERVICE_HOST: '10.0.0.1' })
    expect(warnings).toEqual([
      'WIMDS_LISTEM is not a setting of wimds and has no effect. Did you mean WIMDS_LISTEN?',
    ])
    expect((await load({ WIMDS_OTHER_PROGRAM: 'x' })).warnings).toEqual([
      'WIMDS_OTHER_PROGRAM is not a setting of wimds and has no effect',
    ])
  })

  test('warns of NODE_TLS_REJECT_UNAUTHORIZED=0', async () => {
    const { warnings } = await load({ NODE_TLS_REJECT_UNAUTHORIZED: '0' })
    expect(warnings).toEqual([expect.stringContaining('NODE_TLS_REJECT_UNAUTHORIZED=0')])
  })

  test('reports all problems at once, each with its variable', async () => {
    const env = {
      AZURE_CLIENT_ID: 'me',
      AZURE_TENANT_ID: 'common',
      AZURE_AUTHORITY_HOST: 'http://login.example',
      AZURE_FEDERATED_TOKEN_FILE: '',
      WIMDS_LISTEN: 'here',
      WIMDS_ADMIN_LISTEN: '[127.0.0.1]:1',
      WIMDS_MAX_CONNECTIONS: '0',
      WIMDS_EXCHANGE_TIMEOUT: '5',
      WIMDS_AUDIT_LOG: 'yes',
      WIMDS_UNLISTED_CLIENT_IDS: 'maybe',
      AZURE_REGIONAL_AUTHORITY_NAME: 'West Europe',
    }
    const names = (await loadProblems(env)).map((line) => String(line.split(':')[0]))
    expect(names.toSorted()).toEqual(Object.keys(env).toSorted())
  })

  test.each([
    '999.1.1.1:80',
    '127.0.0.1/x:80',
    'me@host:80',
    'a host:80',
    '[fe80]:80',
    '1.1.1.1:70000',
  ])('rejects the listen address %s', async (address) => {
    expect((await loadProblems({ WIMDS_LISTEN: address })).join()).toMatch(/^WIMDS_LISTEN: /)
  })

  test.each(['0.0.0.0:64169', '[::]:64169', '127.0.0.1:64169,10.0.0.1:64169', 'node.example:80'])(
    'requires WIMDS_LISTEN_ON_NETWORK to listen on %s',
    async (address) => {
      expect(await loadProblems({ WIMDS_LISTEN: address })).toEqual([
        expect.stringMatching(/^WIMDS_LISTEN: \S+ is reachable from the network/),
      ])
      const env = { WIMDS_LISTEN: address, WIMDS_LISTEN_ON_NETWORK: 'true' }
      expect(await loadProblems(env)).toEqual([])
    },
  )

  test('accepts listen addresses by name, IPv4 and IPv6', async () => {
    const { listen } = await load({ WIMDS_LISTEN: 'localhost:1, 127.1:2, [::1]:3' })
    expect(listen.map(({ host }) => host)).toEqual(['localhost', '127.1', '::1'])
  })

  test('accepts a proxy without a scheme and does not repeat an invalid one', async () => {
    const { exchange } = await load({ HTTPS_PROXY: 'me:secret@proxy:3128', NO_PROXY: '.corp' })
    expect(exchange.proxy?.url.reveal()).toBe('http://me:secret@proxy:3128')
    expect(exchange.proxy?.noProxy).toBe('.corp')
    expect(JSON.stringify(exchange)).not.toContain('secret')
    expect((await loadProblems({ HTTPS_PROXY: 'socks5://me:secret@proxy' })).join()).not.toContain(
      'secret',
    )
  })

  test('reads the region by the name that Azure SDKs use', async () => {
    const { exchange } = await load({ AZURE_REGIONAL_AUTHORITY_NAME: 'eastus' })
    expect(exchange.region).toBe('eastus')
  })
})

/** Returns a case for each value of the variable. */
const values = (name: string, ...cases: [value: string, problem: string][]) =>
  cases.map(([value, problem]): [Record<string, string>, string] => [
    { [name]: value },
    `${name}: ${problem}`,
  ])

const NO_HOSTS = 'must be hosts without scheme and port'

test.each([
  [
    { AZURE_CLIENT_ID: '', WIMDS_PREFETCH: 'https://a' },
    'WIMDS_PREFETCH: needs a default identity',
  ],
  ...values(
    'WIMDS_PREFETCH',
    ['https://a https://b', 'must be a resource'],
    ['"https://a"', 'must be a resource'],
    [`https://${'a'.repeat(3000)}`, 'must be a resource'],
  ),
  ...values(
    'WIMDS_ALLOWED_HOSTS',
    ['a,b:80', NO_HOSTS],
    ['http://a/', NO_HOSTS],
    ['::1', NO_HOSTS],
  ),
  ...values(
    'WIMDS_IDENTITY_HEADER',
    ['sekrit\n', 'must be ASCII'],
    [' sekrit', 'must be ASCII'],
    ['sékrit', 'must be ASCII'],
  ),
  ...values(
    'WIMDS_PASS_THROUGH',
    ['/metadata/identity', '"/metadata/identity" cannot be forwarded; https://'],
    ['/metadata/instance,here', '"here" must be a path such as /metadata/instance'],
  ),
  ...values(
    'WIMDS_LISTEN',
    ['[::1%lo]:80', 'must be an address without a zone (%…), such as [::1]:80, not'],
    ['[fe80::1%eth0]:80', 'must be an address without a zone (%…), such as [::1]:80, not'],
  ),
  ...values(
    'HTTPS_PROXY',
    ['http://proxy:3128/path', 'must have no path, query or fragment'],
    ['http://me:pass/word@proxy:3128', 'must be the URL of a proxy'],
    ['http://me:100%@proxy:3128', 'must have each % of its user and password encoded as %25'],
  ),
  ...values(
    'AZURE_KUBERNETES_TOKEN_PROXY',
    ['http://x', 'must start with https://'],
    ['https://me@x', 'must hold no credentials'],
    ['https://x?', 'must have no query'],
    ['https://x?a=b', 'must have no query'],
    ['https://x#', 'must have no fragment'],
    ['x', 'must be a URL such as https://HOST, not "x"'],
  ),
  ...['10.0.0.1', 'a b', 'münchen', '.', '*.x'].flatMap((name) =>
    values('AZURE_KUBERNETES_SNI_NAME', [name, 'must be a host name']),
  ),
  ...['AZURE_KUBERNETES_SNI_NAME', 'AZURE_KUBERNETES_CA_FILE'].map(
    (name): [Record<string, string>, string] => [
      { [name]: 'x' },
      `AZURE_KUBERNETES_TOKEN_PROXY: is missing; ${name} has no effect without it`,
    ],
  ),
  [
    { AZURE_CLIENT_ID: '', WIMDS_UNLISTED_CLIENT_IDS: 'deny' },
    'AZURE_CLIENT_ID: is missing; WIMDS_UNLISTED_CLIENT_IDS denies all other client ids',
  ],
  [
    { AZURE_REGIONAL_AUTHORITY_NAME: 'westeurope', AZURE_AUTHORITY_HOST: 'https://[::1]:8443' },
    'AZURE_REGIONAL_AUTHORITY_NAME: cannot be used with the authority host [::1], an IP address. Fix: unset it',
  ],
])('rejects %j', async (env, problem) => {
  expect((await loadProblems(env)).join()).toContain(problem)
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
  })

  test('are reported when a CA file and CA data are both set', async () => {
    const { caPem } = await createCertificateAuthority()
    expect(
      await loadProblems({
        AZURE_KUBERNETES_TOKEN_PROXY: 'https://x',
        AZURE_KUBERNETES_CA_FILE: '/ca',
        AZURE_KUBERNETES_CA_DATA: caPem,
      }),
    ).toEqual(['AZURE_KUBERNETES_CA_DATA: conflicts with AZURE_KUBERNETES_CA_FILE; set only one'])
  })

  test.each(['', 'x', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----'])(
    'reject the certificates %j',
    async (data) => {
      const env = { AZURE_KUBERNETES_TOKEN_PROXY: 'https://x', AZURE_KUBERNETES_CA_DATA: data }
      expect(await loadProblems(env)).toEqual(
        data === '' ? [] : ['AZURE_KUBERNETES_CA_DATA: must hold PEM certificates'],
      )
    },
  )
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

  test('has no default identity unless it marks one of several', async () => {
    const { directory } = await load(
      {},
      `identities: [{clientId: ${CLIENT}}, {clientId: ${OTHER}}]`,
    )
    expect(directory.defaultIdentity).toBeUndefined()
  })

  test('makes a single identity the default', async () => {
    const env = { WIMDS_PREFETCH: 'https://a' }
    const { directory } = await load(env, `identities: [{clientId: ${OTHER}}]`)
    expect(directory.defaultIdentity).toMatchObject({ clientId: OTHER, prefetch: ['https://a'] })
    const two = `identities: [{clientId: ${CLIENT}}, {clientId: ${OTHER}}]`
    expect((await loadProblems(env, two)).join()).toContain(
      'WIMDS_PREFETCH: needs a default identity',
    )
  })

  test('requires no tenant and token file in the environment if each identity has its own', async () => {
    const env = { AZURE_CLIENT_ID: '', AZURE_TENANT_ID: '', AZURE_FEDERATED_TOKEN_FILE: '' }
    const own = `{clientId: ${CLIENT}, tenantId: a.example, tokenFile: /own}`
    expect(await load(env, `identities: [${own}]`)).toMatchObject({
      tokenFiles: ['/own'],
      tenantId: 'a.example',
    })
    expect(await loadProblems(env, `identities: [${own}, {clientId: ${OTHER}}]`)).toEqual([
      expect.stringMatching(/identities\[1\]\.tenantId: is missing; set it, or AZURE_TENANT_ID/),
      expect.stringMatching(/identities\[1\]\.tokenFile: is missing/),
    ])
    const open = { ...env, WIMDS_UNLISTED_CLIENT_IDS: 'allow' }
    expect((await loadProblems(open, `identities: [${own}]`)).join()).toMatch(/AZURE_TENANT_ID/)
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

  test('reports a key that is no word on one line, and shortened', async () => {
    const problems = await loadProblems({}, `? identities:\n    - ${'a'.repeat(90)}\n: 1\n`)
    expect(problems).toEqual([
      expect.stringMatching(/: identities: is missing$/),
      expect.stringMatching(/:1:1: "\{[^\n]{1,30}…": is not a known setting$/),
    ])
  })

  test('reports 20 problems and that there are more', async () => {
    const problems = await loadProblems({}, `identities:\n${'  - {}\n'.repeat(25)}`)
    expect(problems).toHaveLength(21)
    expect(problems.at(-1)).toBe(`WIMDS_CONFIG: ${FILE}: and more`)
  })

  test('rejects an alias, by which a short file can have any number of values', async () => {
    const resources = `[${'1,'.repeat(1900)}]`
    const file = `identities:\n  - &x { clientId: ${CLIENT}, resources: ${resources} }\n${'  - *x\n'.repeat(70)}`
    expect(file.length).toBeLessThan(4400)
    expect(await loadProblems({}, file)).toEqual([
      `WIMDS_CONFIG: ${FILE}:3:5: is an alias. Fix: write the value out`,
    ])
  })

  test('reports conflicts between identities', async () => {
    const problems = await loadProblems(
      {},
      `identities:
  - {name: a, clientId: ${CLIENT}, default: true, resources: [https://a], prefetch: [https://b]}
  - {name: a, clientId: ${CLIENT}, default: true}
`,
    )
    expect(problems.map((line) => line.replace(/^.*?identities\[/, 'identities['))).toEqual([
      expect.stringMatching(/^identities\[0\]\.prefetch\[0\]: is not one of its resources/),
      expect.stringMatching(/^identities\[1\]\.name: repeats that of identities\[0\]/),
      expect.stringMatching(/^identities\[1\]\.clientId: repeats that of identities\[0\]/),
      expect.stringMatching(/^identities\[1\]\.default: is already set for identities\[0\]/),
    ])
  })

  test('rejects a name that is the client id of another identity', async () => {
    const file = `identities: [{clientId: ${CLIENT}}, {name: ${CLIENT}, clientId: ${OTHER}}]`
    expect((await loadProblems({}, file)).join()).toContain(
      'name: is the client id of identities[0]',
    )
  })

  test('reports a WIMDS_PREFETCH that it does not allow with the other problems', async () => {
    const file = `identities: [{clientId: ${CLIENT}, default: true, resources: [https://a]}]`
    const env = { WIMDS_PREFETCH: 'https://a/,https://b', WIMDS_CA_FILE: '/nowhere' }
    expect(await loadProblems(env, file)).toEqual([
      expect.stringMatching(/^WIMDS_CA_FILE: cannot read/),
      "WIMDS_PREFETCH: https://b is not one of the default identity's resources. Fix: add it to the identity's resources, or remove it from WIMDS_PREFETCH",
    ])
  })

  test.each([
    ['invalid YAML', 'identities: [', /:1:\d+: is not YAML: /],
    [
      'two documents',
      'identities: []\n---\nidentities: []',
      /:2:1: has more than one document\. Fix: keep one$/,
    ],
    ['a repeated key', 'identities: []\nidentities: []', /:2:1: repeats a key/],
    ['an empty file', '', /must be a mapping|is missing/],
    ['a list', '[]', /must be a mapping/],
  ])('reports %s', async (_, file, problem) => {
    expect((await loadProblems({}, file)).join()).toMatch(problem)
  })

  test('reports that it cannot be read', async () => {
    expect(await loadProblems({ WIMDS_CONFIG: '/nowhere.yaml' })).toEqual([
      'WIMDS_CONFIG: cannot read /nowhere.yaml: no /nowhere.yaml. Fix: check the path',
    ])
  })
})

describe('the files that settings name', () => {
  test.each(['WIMDS_CA_FILE', 'AZURE_KUBERNETES_CA_FILE'])(
    'are reported if %s is missing',
    async (name) => {
      const env = { AZURE_KUBERNETES_TOKEN_PROXY: 'https://x', [name]: '/nonexistent/file' }
      expect(await loadProblems(env)).toEqual([
        `${name}: cannot read /nonexistent/file: no such file or directory. Fix: check the path`,
      ])
    },
  )

  test('are reported without waiting if one is a pipe', async () => {
    using directory = createFolder()
    const pipe = await namedPipe(directory.file('pipe'))
    expect(await loadProblems({ WIMDS_CA_FILE: pipe })).toEqual([
      `WIMDS_CA_FILE: cannot read ${pipe}: not a regular file. Fix: check the path`,
    ])
  })

  test.each([
    [
      'WIMDS_CA_FILE',
      'nothing to trust',
      'holds no valid PEM certificates. Fix: write the CA in PEM into it',
    ],
    [
      'WIMDS_CA_FILE',
      '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n',
      'holds no valid PEM certificates. Fix: write the CA in PEM into it',
    ],
  ])('are reported if %s holds %j', async (name, text, problem) => {
    using directory = createFolder()
    const file = directory.write('file', text)
    expect(await loadProblems({ [name]: file })).toEqual([`${name}: ${file} ${problem}`])
  })

  test('are read into the configuration', async () => {
    using directory = createFolder()
    const { caPem } = await createCertificateAuthority()
    const ca = directory.write('ca.pem', caPem)
    const config = await load({ WIMDS_CA_FILE: ca })
    expect(config.exchange.extraCa?.pem).toBe(caPem)
  })
})

describe('the instance document', () => {
  test.each(['5', '[]', '{'])('is rejected if it is %s', async (text) => {
    expect(await loadProblems({ WIMDS_INSTANCE: text })).toEqual([
      expect.stringMatching(/^WIMDS_INSTANCE: must be a JSON object such as \{"compute":\{\}\}/),
    ])
  })

  test.each([
    [{ compute: { azEnvironment: '', zone: '' } }],
    [{ compute: 'x' }],
    [{ network: {} }],
  ])('keeps what the operator wrote: %j', async (document) => {
    const { instance } = await load({ WIMDS_INSTANCE: JSON.stringify(document) })
    expect(instance).toEqual(document)
  })

  test('is missing while nothing says what the machine is', async () => {
    expect((await load({})).instance).toBeUndefined()
  })

  test.each([
    ['https://login.microsoftonline.com', 'AzurePublicCloud'],
    ['https://login.usgovcloudapi.net', 'AzureUSGovernmentCloud'],
    ['https://login.partner.microsoftonline.cn', 'AzureChinaCloud'],
    ['https://login.sovcloud-identity.fr', undefined],
    ['https://login.airgap.example:8443', undefined],
  ])('has for %s the azEnvironment %s', async (host, azEnvironment) => {
    const { instance } = await load({
      AZURE_AUTHORITY_HOST: host,
      WIMDS_INSTANCE: '{"compute":{"zone":"2"}}',
    })
    expect(instance).toEqual({ compute: { azEnvironment, zone: '2' } })
  })
})
