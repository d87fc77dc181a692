import { describe, expect, test } from 'vitest'
import { BrokerError } from '../../src/errors.ts'
import type { Assertion } from '../../src/exchange/assertion.ts'
import { Secret } from '../../src/secret.ts'
import { logAssertion, logRenewalFailure } from '../../src/telemetry/log-lines.ts'
import { logger } from '../../src/telemetry/logger.ts'
import { NOW, ORDERS } from '../fixtures/parts.ts'

function logging() {
  const lines: string[] = []
  const log = logger({ level: 'info', format: 'json', out: { write: (line) => lines.push(line) } })
  return { log, events: () => lines.map((line): unknown => JSON.parse(line)) }
}

const assertionFor = (audience: string): Assertion => ({
  secret: new Secret('signed by nobody'),
  issuer: 'https://issuer.test',
  subject: 'system:serviceaccount:shop:orders',
  audience: [audience],
  expiresAt: NOW,
})

describe('a projected token', () => {
  test.each([
    ['the usual audience', 'api://AzureADTokenExchange', undefined, 'info', 'assertion_loaded'],
    ['another audience', 'sts.test', undefined, 'warn', 'assertion_audience_unexpected'],
    ['another audience that is configured', 'sts.test', 'sts.test', 'info', 'assertion_loaded'],
  ])('with %s', (_, audience, configured, level, event) => {
    const { log, events } = logging()
    logAssertion(log, '/token', { ok: true, assertion: assertionFor(audience) }, configured)
    expect(events()).toEqual([
      {
        level,
        event,
        time: expect.any(String),
        file: '/token',
        issuer: 'https://issuer.test',
        subject: 'system:serviceaccount:shop:orders',
        audience: [audience],
        expiresAt: '2026-11-24T12:00:00.000Z',
      },
    ])
  })

  test('that cannot be read is told with why', () => {
    const { log, events } = logging()
    const error = new BrokerError('assertion_empty', 'it is empty')
    logAssertion(log, '/token', { ok: false, error }, undefined)
    const fields = { file: '/token', code: 'assertion_empty', message: 'it is empty' }
    expect(events()).toMatchObject([{ level: 'warn', event: 'assertion_failed', ...fields }])
  })
})

test.each([
  ['entra_unavailable', 'warn'],
  ['federated_credential_not_found', 'error'],
] as const)('a renewal that fails by %s is logged as %s', (code, level) => {
  const { log, events } = logging()
  const request = { identity: ORDERS, scope: 'https://vault.azure.net/.default' }
  logRenewalFailure(log, { request, error: new BrokerError(code, 'why'), leftMs: 61_999 })
  expect(events()).toMatchObject([
    { level, event: 'refresh_failed', identity: 'orders', code, tokenLeftSeconds: 61 },
  ])
})
