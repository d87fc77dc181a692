import { mkdtempDisposable, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Config, loadConfig } from '../../src/config/config.ts'
import { ConfigError } from '../../src/errors.ts'
import { mutated, SEED } from './mutations.ts'

const ENVIRONMENT = {
  AZURE_TENANT_ID: '22222222-2222-4222-8222-222222222222',
  AZURE_FEDERATED_TOKEN_FILE: '/var/run/secrets/token',
  WIMDS_CONFIG: '/etc/wimds/identities.yaml',
}

const VALID = `# Two workloads of one pod
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

/** What YAML gives meaning to, and words that the file, or JavaScript, does. */
const PIECES = [
  '&a *a *orders !!binary !!set {} { } [ ] " \' | > # ~ null .inf 0x7f 1e999 💥'.split(' '),
  [
    '<<: *orders',
    '? ',
    '- ',
    ': ',
    '---\n',
    '...\n',
    '%YAML 1.1\n',
    '\t',
    '\n',
    '\r',
    '\0',
    '\u{feff}',
  ],
  ['__proto__', 'constructor', 'toString', '__proto__: {isAdmin: true}', '{"__proto__": {}}'],
  ['identities:', 'clientId:', 'default: true', 'default: yes'],
].flat()

const identitiesFile = fc.oneof(
  mutated(VALID, PIECES),
  mutated(JSON.stringify({ identities: [{ clientId: 'x', resources: [] }] }), PIECES),
  fc.json().map((json) => `identities: ${json}`),
  fc.array(fc.constantFrom(...PIECES)).map((pieces) => pieces.join('')),
)

async function outcomeOf(text: string): Promise<Config | ConfigError> {
  try {
    return await loadConfig(ENVIRONMENT, () => Promise.resolve(text))
  } catch (error) {
    if (error instanceof ConfigError) return error
    throw error
  }
}

/** The parts of an identity that everything after the configuration trusts. */
const SOUND = expect.objectContaining({
  clientId: expect.stringMatching(/^[0-9a-f-]{36}$/),
  tenantId: expect.stringMatching(/./),
  authorityHost: expect.stringMatching(/^https:/),
  tokenFile: expect.stringMatching(/^\//),
})

function expectRefusal({ message }: ConfigError): void {
  expect(message).toContain('WIMDS_CONFIG: /etc/wimds/identities.yaml')
  expect(message.split('\n').length).toBeLessThanOrEqual(22)
}

function expectSound({ directory }: Config): void {
  for (const identity of directory.identities) {
    expect(identity).toEqual(SOUND)
    expect(Object.getPrototypeOf(identity)).toBe(Object.prototype)
  }
}

test('reads whatever text there is as identities or refuses it, and nothing else happens', async () => {
  const outcomes = { read: 0, refused: 0 }
  await fc.assert(
    fc.asyncProperty(identitiesFile, async (text) => {
      const outcome = await outcomeOf(text)
      expect(Object.getOwnPropertyNames(Object.prototype)).not.toContain('isAdmin')
      const isRefused = outcome instanceof ConfigError
      outcomes[isRefused ? 'refused' : 'read'] += 1
      return isRefused ? expectRefusal(outcome) : expectSound(outcome)
    }),
    { numRuns: 1500, seed: SEED },
  )
  // Both happened, so that each half of the property was looked at.
  expect(outcomes.read).toBeGreaterThan(50)
  expect(outcomes.refused).toBeGreaterThan(50)
})

const HALF = 'x,'.repeat(64_000)
test.each([
  ['an alias of nothing', 'identities: *nothing'],
  ['an alias of itself', 'identities: &a [*a]'],
  ['aliases that stand for a billion', bomb()],
  ['brackets that never close', `identities: ${'['.repeat(120_000)}`],
  ['sixty thousand lists in each other', '- '.repeat(60_000)],
  ['sixty thousand entries', `identities: [${HALF}]`],
  ['nothing but tabs', '\t:\n'.repeat(40_000)],
  ['ten thousand keys', Array.from({ length: 10_000 }, (_, index) => `k${index}: 1`).join('\n')],
  ['a megabyte', '#'.repeat(1_000_000)],
  ['two documents', `${VALID}---\n${VALID}`],
])('refuses %s within seconds, in a message that can be read', async (_, text) => {
  const outcome = await outcomeOf(text)
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

test('does not read a file that is too large, or none, to its end', async () => {
  await using directory = await mkdtempDisposable(join(tmpdir(), 'wimds-fuzz-'))
  const large = join(directory.path, 'large.yaml')
  await writeFile(large, Buffer.alloc(50_000_000, '#'))
  await expect(loadConfig({ ...ENVIRONMENT, WIMDS_CONFIG: large })).rejects.toThrow(
    'is larger than 128 KiB',
  )
  await expect(loadConfig({ ...ENVIRONMENT, WIMDS_CONFIG: '/dev/zero' })).rejects.toThrow('EFTYPE')
})
