import { readFile } from 'node:fs/promises'
import { format } from 'prettier'
import { describe, expect, test } from 'vitest'
import * as z from 'zod/mini'
import { BrokerError } from '../../src/errors.ts'
import { settingsView } from '../../src/telemetry/settings-view.ts'
import { type StatusDocument, StatusSchema } from '../../src/telemetry/status-schema.ts'
import { aStatus } from '../fixtures/status.ts'
import { exchange, failing, held, observe, reply } from './observed.ts'

const stateOf = (given: Parameters<typeof observe>[0]) => {
  const { readiness, document } = observe(given)
  readiness()
  return document([])
}

/** A sidecar to which everything has happened. */
function busy(): StatusDocument {
  const observed = observe({ entries: [held(), failing('federated_credential_not_found')] })
  const entra = { aadsts: 700213, traceId: 'a-trace', correlationId: 'a-correlation' }
  const error = new BrokerError('federated_credential_not_found', 'AADSTS700213: no match', {
    entra,
  })
  observed.onExchange(exchange())
  observed.onExchange(exchange({ outcome: { ok: false, error } }))
  observed.onReply(reply({ error }))
  observed.onReply(reply({ error }))
  observed.onSkew(1234)
  return observed.document(settingsView({ AZURE_TENANT_ID: 'contoso.example' }))
}

const view = (env: Record<string, string>) =>
  Object.fromEntries(settingsView(env).map(({ name, ...rest }) => [name, rest]))

describe('the state', () => {
  test('is ready when nothing fails', () => {
    expect(stateOf({ entries: [held()] })).toMatchObject({ state: 'ready', reasons: [] })
  })

  test('is starting before a projected token was read', () => {
    const error = new BrokerError('assertion_missing', 'there is no projected token')
    expect(stateOf({ assertion: { ok: false, error } })).toMatchObject({
      state: 'starting',
      reasons: ['there is no projected token'],
    })
  })

  test('is degraded while a renewal fails and the token is still served', () => {
    const { token } = held()
    const entries = [failing('entra_timeout', 2, token === undefined ? {} : { token })]
    expect(stateOf({ entries })).toMatchObject({
      state: 'degraded',
      reasons: [expect.stringContaining('still served: entra_timeout')],
    })
  })

  test('is degraded while Entra ID cannot be reached', () => {
    expect(stateOf({ entries: [failing('entra_unreachable')] }).state).toBe('degraded')
  })

  test('is refused when only somebody can mend it', () => {
    expect(stateOf({ entries: [failing('federated_credential_mismatch'), held()] })).toMatchObject({
      state: 'refused',
      reasons: ['no token for https://vault.azure.net as orders: federated_credential_mismatch'],
    })
  })

  test('forgets a refusal that nobody came back for', () => {
    expect(
      stateOf({ entries: [failing('federated_credential_mismatch', 1, { nextTryAt: -700_000 })] })
        .state,
    ).toBe('ready')
  })
})

describe('the document', () => {
  test('keeps to its schema', () => {
    expect(StatusSchema.parse(busy())).toEqual(busy())
    expect(StatusSchema.parse(aStatus())).toEqual(aStatus())
  })

  test('says where it runs, by the projected token', () => {
    expect(busy().workload).toMatchObject({ namespace: 'shop', serviceAccount: 'orders' })
  })

  test('explains the last exchanges, the latest first', () => {
    expect(busy().exchanges).toMatchObject([
      {
        failure: {
          code: 'federated_credential_not_found',
          aadsts: 700213,
          entraTraceId: 'a-trace',
        },
        meaning: expect.stringContaining('subject'),
      },
      { durationMs: 120 },
    ])
  })

  test('counts refusals of one kind together', () => {
    expect(busy().refusals).toMatchObject([
      {
        count: 2,
        client: 'python-azure-identity',
        failure: { code: 'federated_credential_not_found' },
      },
    ])
  })

  test('says of each client whether it needs the sidecar', () => {
    expect(busy().clients).toMatchObject([
      { client: 'python-azure-identity', version: '1.5.0', supportsWorkloadIdentity: false },
    ])
  })

  test('keeps the last twenty exchanges', () => {
    const observed = observe()
    for (let durationMs = 1; durationMs <= 50; durationMs += 1) {
      observed.onExchange(exchange({ durationMs }))
    }
    const { exchanges } = observed.document([])
    expect(exchanges).toHaveLength(20)
    expect(exchanges[0]?.durationMs).toBe(50)
  })
})

describe('the settings', () => {
  test('say where each comes from', () => {
    expect(view({ WIMDS_LOG_LEVEL: 'debug' })).toMatchObject({
      WIMDS_LOG_LEVEL: { value: 'debug', origin: 'environment' },
      WIMDS_CACHE_SIZE: { value: '1000', origin: 'default' },
    })
  })

  test('hold no credential', () => {
    const shown = view({
      WIMDS_IDENTITY_HEADER: 'a-shared-secret',
      HTTPS_PROXY: 'http://user:pa55word@proxy.example:3128',
      WIMDS_AUDIENCE: 'eyJhbGciOiJSUzI1NiJ9.eyJhIjoxfQ.c2lnbmF0dXJl',
      UNRELATED: 'nobody’s business',
    })
    expect(JSON.stringify(shown)).not.toMatch(/a-shared-secret|pa55word|eyJ|nobody/)
    expect(shown['HTTPS_PROXY']?.value).toBe('http://[redacted]@proxy.example:3128')
  })
})

test('docs/status.schema.json is the schema', async () => {
  const schema = {
    ...z.toJSONSchema(StatusSchema, { target: 'draft-2020-12' }),
    title: 'wimds status',
    description: 'What /status.json on the admin port answers.',
  }
  const published = await format(JSON.stringify(schema), { parser: 'json', printWidth: 100 })
  await expect(published).toMatchFileSnapshot('../../docs/status.schema.json')
  expect(JSON.parse(await readFile('docs/status.schema.json', 'utf8'))).toMatchObject({
    type: 'object',
    required: expect.arrayContaining(['state', 'tokens']),
  })
})
