import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { loadConfig } from '../../src/broker/config/config.ts'
import { DEFAULTS, Settings } from '../../src/broker/config/settings.ts'
import { createAppServiceDialects } from '../../src/broker/dialects/app-service.ts'
import { cloudShell } from '../../src/broker/dialects/cloud-shell.ts'
import type { Dialect, TokenQuery, WireRequest } from '../../src/broker/dialects/dialect.ts'
import { imds } from '../../src/broker/dialects/imds.ts'
import { BrokerError, ConfigError } from '../../src/lib/errors.ts'
import { Secret } from '../../src/lib/secret.ts'
import { fuzzRuns, mutated } from './mutations.ts'

const PIECES = [
  '& = % %00 %0a %2 %zz %ff + ; ? # && == \0 \u{ffff} 💥 [] {}'.split(' '),
  'resource= RESOURCE=x client_id= &object_id=1 &__proto__=x &constructor='.split(' '),
  ['api-version=2017-09-01', 'api-version=9999-99-99', 'a=b&'.repeat(300), 'x'.repeat(3000)],
].flat()

const QUERY = 'api-version=2019-08-01&resource=https://vault.azure.net'
const HEADERS = { metadata: 'true', 'x-identity-header': 'secret', secret: 'secret' }
const DIALECTS: readonly Dialect[] = [
  imds,
  cloudShell,
  ...createAppServiceDialects(new Secret('secret')),
]

/** Returns the dialect's query, or the error that it throws. */
function parse(dialect: Dialect, request: WireRequest): TokenQuery | BrokerError {
  try {
    return dialect.parse(request)
  } catch (error) {
    if (error instanceof BrokerError) return error
    throw error
  }
}

/** A resource that is safe in a header, a log line and a request to Entra ID. */
const SAFE = /^[\x21-\x7e]{1,2048}$/

test('every dialect parses a safe resource or throws a BrokerError', () => {
  const seen = { parsed: 0, rejected: 0 }
  fc.assert(
    fc.property(
      fc.constantFrom(...DIALECTS),
      mutated(QUERY, PIECES),
      mutated('', PIECES),
      (dialect, query, body) => {
        const outcome = parse(dialect, { headers: HEADERS, query, body })
        const isError = outcome instanceof BrokerError
        seen[isError ? 'rejected' : 'parsed'] += 1
        expect(isError ? outcome.isPermanent : SAFE.test(outcome.resource)).toBe(true)
        expect(isError ? outcome.message : '').toMatch(/^[\x20-\x7e]{0,400}$/)
      },
    ),
    fuzzRuns(3000),
  )
  expect(seen.parsed).toBeGreaterThan(200)
  expect(seen.rejected).toBeGreaterThan(200)
})

const VALUES = [
  ['', '\n', ...'0 -1 1e99 NaN off true x 🚀 \0 / // .. % a,b ,,'.split(' ')],
  '127.0.0.1:8000 [::]:0 [:: :99999 https:// https://u:p@h/ javascript:x 10s 1h'.split(' '),
  ['11111111-1111-4111-8111-111111111111', 'contoso.com', '__proto__', 'x'.repeat(70_000)],
].flat()

const value = fc.oneof(
  fc.constantFrom(...VALUES),
  fc.constantFrom(...Object.values(DEFAULTS)).chain((text) => mutated(text, VALUES, 2)),
  fc.string({ maxLength: 40 }),
)
const NAMES = [
  // A file's problems repeat its path, whatever characters it has.
  ...Object.keys(Settings.shape).filter((name) => !/^WIMDS_(?:CONFIG|\w+_FILE)$/.test(name)),
  'WIMDS_TYPO',
]
const environment = fc.dictionary(fc.constantFrom(...NAMES, '__proto__'), value, { maxKeys: 6 })

const BASE = {
  AZURE_TENANT_ID: '22222222-2222-4222-8222-222222222222',
  AZURE_FEDERATED_TOKEN_FILE: '/var/run/secrets/token',
}

test('loads an environment or reports the problems of its settings', async () => {
  const seen = { loaded: 0, rejected: 0 }
  await fc.assert(
    fc.asyncProperty(environment, async (given) => {
      const problems = await loadConfig({ ...BASE, ...given }).then(
        () => [],
        (error: unknown) => {
          if (error instanceof ConfigError) return error.message.split('\n').slice(1)
          throw error
        },
      )
      seen[problems.length === 0 ? 'loaded' : 'rejected'] += 1
      for (const problem of problems) expect(problem).toMatch(/^ {2}[\w-]+: .{1,300}$/)
    }),
    fuzzRuns(300),
  )
  expect(seen.loaded).toBeGreaterThan(15)
  expect(seen.rejected).toBeGreaterThan(15)
})
