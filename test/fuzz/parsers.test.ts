import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { createAppServiceDialects } from '../../src/broker/dialects/app-service.ts'
import { cloudShell } from '../../src/broker/dialects/cloud-shell.ts'
import type { Dialect, TokenQuery, WireRequest } from '../../src/broker/dialects/dialect.ts'
import { imds } from '../../src/broker/dialects/imds.ts'
import { BrokerError } from '../../src/lib/errors.ts'
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
