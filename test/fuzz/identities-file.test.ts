import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Config, loadConfig } from '../../src/broker/config/config.ts'
import { ConfigError } from '../../src/lib/errors.ts'
import { fuzzRuns, mutated } from './mutations.ts'
import { createFolder } from '../fixtures/folder.ts'

const ENVIRONMENT = {
  AZURE_TENANT_ID: '22222222-2222-4222-8222-222222222222',
  AZURE_FEDERATED_TOKEN_FILE: '/var/run/secrets/token',
  WIMDS_CONFIG: '/etc/wimds/identities.yaml',
}

const SAMPLE = `# Two workloads of one pod
identities:
  - &orders
    name: orders
    clientId: 11111111-1111-4111-8111-111111111111
    objectId: 33333333-3333-4333-8333-333333333333
    resourceId: /subscriptions/s/resourceGroups/g/providers/p/userAssignedIdentities/orders
    resources: [https://vault.azure.net, "https://storage.azure.com/"]
    prefetch: [https://vault.azure.net]
    default: true
  - name: billing
    clientId: 44444444-4444-4444-8444-444444444444
    tenantId: contoso.onmicrosoft.com
    authorityHost: https://login.microsoftonline.us/
    tokenFile: /var/run/secrets/billing
`

/** Syntax of YAML, and words that are special in the file or in JavaScript. */
const PIECES = [
  '&a *a *orders !!binary !!set {} { } [ ] " \' | > # ~ null .inf 0x7f 1e999 💥'.split(' '),
  ['<<: *orders', '? ', '- ', ': ', '---\n', '...\n', '%YAML 1.1\n'],
  ['\t', '\n', '\r', '\0', '\u{feff}'],
  ['__proto__', 'constructor', 'toString', '__proto__: {isAdmin: true}', '{"__proto__": {}}'],
  ['identities:', 'clientId:', 'default: true', 'default: yes'],
].flat()

const identitiesFile = fc.oneof(
  mutated(SAMPLE, PIECES),
  mutated(JSON.stringify({ identities: [{ clientId: 'x', resources: [] }] }), PIECES),
  fc.json().map((json) => `identities: ${json}`),
  fc.array(fc.constantFrom(...PIECES)).map((pieces) => pieces.join('')),
)

async function tryLoad(text: string): Promise<Config | ConfigError> {
  try {
    return await loadConfig(ENVIRONMENT, () => Promise.resolve(text))
  } catch (error) {
    if (error instanceof ConfigError) return error
    throw error
  }
}

/** The fields of an identity that the code after the configuration trusts. */
const VALID_IDENTITY = expect.objectContaining({
  clientId: expect.stringMatching(/^[0-9a-f-]{36}$/),
  tenantId: expect.stringMatching(/./),
  authorityHost: expect.stringMatching(/^https:/),
  tokenFile: expect.stringMatching(/^\//),
})

function expectReadable({ message }: ConfigError): void {
  expect(message).toContain('WIMDS_CONFIG: /etc/wimds/identities.yaml')
  expect(message.split('\n').length).toBeLessThanOrEqual(22)
}

function expectValid({ directory }: Config): void {
  for (const identity of directory.identities) {
    expect(identity).toEqual(VALID_IDENTITY)
    expect(Object.getPrototypeOf(identity)).toBe(Object.prototype)
  }
}

test('parses any text into valid identities or reports its problems', async () => {
  const outcomes = { read: 0, rejected: 0 }
  await fc.assert(
    fc.asyncProperty(identitiesFile, async (text) => {
      const outcome = await tryLoad(text)
      expect(Object.getOwnPropertyNames(Object.prototype)).not.toContain('isAdmin')
      const isError = outcome instanceof ConfigError
      outcomes[isError ? 'rejected' : 'read'] += 1
      return isError ? expectReadable(outcome) : expectValid(outcome)
    }),
    fuzzRuns(500),
  )
  expect(outcomes.read).toBeGreaterThan(10)
  expect(outcomes.rejected).toBeGreaterThan(50)
})

test.each([
  ['an alias of nothing', 'identities: *nothing'],
  ['a billion laughs', bomb()],
  ['unclosed brackets', `identities: ${'['.repeat(30_000)}`],
  ['twenty thousand nested lists', '- '.repeat(20_000)],
  ['ten thousand keys', Array.from({ length: 10_000 }, (_, index) => `k${index}: 1`).join('\n')],
  ['a megabyte', '#'.repeat(1_000_000)],
])('rejects %s with a short message', async (_, text) => {
  const outcome = await tryLoad(text)
  expect(outcome).toBeInstanceOf(ConfigError)
  expect(outcome).toMatchObject({ message: expect.stringMatching(/^.{1,5000}$/s) })
})

function bomb(): string {
  const lists = Array.from({ length: 10 }, (_, index) => {
    const item = index === 0 ? 'x' : `*a${index - 1}`
    return `a${index}: &a${index} [${Array(9).fill(item).join(', ')}]`
  })
  return [...lists, 'identities: *a9'].join('\n')
}

test('does not read a file that is too large to its end', async () => {
  using directory = createFolder()
  const large = directory.write('large.yaml', Buffer.alloc(50_000_000, '#'))
  await expect(loadConfig({ ...ENVIRONMENT, WIMDS_CONFIG: large })).rejects.toThrow(
    'is larger than 128 KiB',
  )
})
