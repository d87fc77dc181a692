import { format } from 'prettier'
import { describe, expect, test } from 'vitest'
import * as z from 'zod/mini'
import { BrokerError } from '../../../src/lib/errors.ts'
import { describeSettings } from '../../../src/broker/config/settings.ts'
import { type StatusDocument, StatusSchema } from '../../../src/broker/telemetry/status-schema.ts'
import { aToken, NOW, ORDERS } from '../../fixtures/parts.ts'
import { aStatus } from '../../fixtures/status.ts'
import { computeExpiry, toWallTimes } from '../../../src/broker/tokens/lifetime.ts'
import { parseSamples } from '../../service/scraped.ts'
import {
  cached,
  exchange,
  failing,
  observe,
  observeBusy,
  readable,
  reply,
  TOKEN_FILE,
} from './observed.ts'

const formatJson = (value: unknown) =>
  format(JSON.stringify(value), { parser: 'json', printWidth: 100 })

test('a sidecar with each kind of event and problem has this document, which conforms to the schema', async () => {
  const document = observeBusy().document(describeSettings({ AZURE_TENANT_ID: 'contoso.example' }))
  expect(StatusSchema.parse(document)).toEqual(document)
  expect(StatusSchema.parse(aStatus())).toEqual(aStatus())
  const { workload, build: _, settings: __, ...others } = document
  const { host: ___, ...named } = workload
  const shown = await formatJson({ workload: named, ...others })
  await expect(shown).toMatchFileSnapshot('golden/status.json')
})

test('warns of a clock that is more than five minutes off, and logs it once until the clock is right', () => {
  const observed = observe()
  for (const ms of [299_000, 899_600, 899_700, 0, -899_600, -899_700]) observed.onSkew(ms)
  expect(observed.document([]).warnings).toEqual([expect.stringContaining('899.7 s behind')])
  expect(observed.lines.filter(({ event }) => event === 'clock_skew')).toMatchObject([
    { level: 'warn', message: expect.stringContaining('899.6 s ahead of') },
    { level: 'warn', message: expect.stringContaining('899.6 s behind') },
  ])
})

test('does not explain the AADSTS code to which an internal issuer leads', () => {
  const error = new BrokerError('issuer_unreachable', 'is internal', { entra: { aadsts: 700211 } })
  const entry = failing('issuer_unreachable', 1, { failure: { error, count: 1, since: 0 } })
  const [problem] = observe({ entries: [entry] }).document([]).problems
  expect(problem).toMatchObject({ failure: { code: 'issuer_unreachable', aadsts: 700211 } })
  expect(problem?.explanation).toBeUndefined()
})

test.each([-10, 2])('has times by the clock that was set by %i h', async (hours) => {
  let stepMs = 0
  const clock = { wall: () => NOW + stepMs, monotonic: () => 0 }
  const token = aToken(undefined, 86_400_000)
  const observed = observe({ clock, entries: [cached({ token })] })
  observed.onSkew(0)
  observed.onExchange(exchange())
  observed.onReply(reply({ error: new BrokerError('internal', 'failed') }))
  stepMs = hours * 3_600_000
  const now = new Date(NOW + stepMs).toISOString()
  expect(observed.document([])).toMatchObject({
    // The projected token is not reported as expired.
    state: 'ready',
    generatedAt: now,
    startedAt: now,
    clockSkewSeconds: hours * 3600,
    tokens: [
      {
        cached: {
          expiresAt: new Date(toWallTimes(token.lifetime, clock).expiresAt).toISOString(),
        },
      },
    ],
    exchanges: [{ at: now }],
    failedRequests: [{ lastAt: now }],
    clients: [{ lastSeenAt: now }],
  })
  const samples = Object.fromEntries(parseSamples(await observed.scrape()))
  const labels = '{identity="orders",resource="https://vault.azure.net"}'
  expect(samples).toMatchObject({
    wimds_clock_skew_seconds: hours * 3600,
    [`wimds_token_expiry_timestamp_seconds${labels}`]: computeExpiry(token.lifetime, clock)
      .expiresOn,
    'wimds_client_last_seen_timestamp_seconds{client="python-azure-identity",version="1.5.0"}':
      (NOW + stepMs) / 1000,
  })
})

describe('the state', () => {
  const missing = new BrokerError(
    'assertion_missing',
    `there is no eyJ${'x'.repeat(50)}`,
    'mount it',
  )
  const unread = { ok: false, error: missing, since: -60_000 } as const
  const expired = { ok: true, assertion: { ...readable.assertion, expiresAt: NOW - 5000 } } as const
  const mismatch = failing('federated_credential_mismatch')

  test.each<
    [StatusDocument['state'], string, Parameters<typeof observe>[0], ...(string | undefined)[]]
  >([
    ['ready', 'nothing fails', { entries: [cached()] }],
    ['failing', 'no token can be obtained', { entries: [mismatch] }, mismatch.failure?.error.code],
    [
      'degraded',
      'Entra ID rejects only a resource',
      { entries: [failing('resource_refused')] },
      'resource_refused',
    ],
    [
      'degraded',
      'a refresh fails and the token is still served',
      { entries: [failing('entra_timeout', 2, { token: aToken() })] },
      'entra_timeout',
    ],
    [
      'failing',
      'Entra ID rejects a resource and the identity',
      { entries: [failing('resource_refused'), mismatch] },
      'federated_credential_mismatch',
      'resource_refused',
    ],
    ['starting', 'no projected token was read', { assertion: unread }, missing.code],
    [
      'failing',
      'the first projected token has expired',
      { assertion: expired },
      'assertion_expired',
    ],
    ['failing', 'there is no identity', { directory: { identities: [] } }, 'identity_not_found'],
    [
      'ready',
      'without an identity a token is cached for a client id of a request',
      { directory: { identities: [] }, entries: [cached()] },
    ],
  ])('is %s while %s', (state, _, given, ...codes) => {
    const { isReady, document } = observe(given)
    isReady()
    const { problems, ...others } = document([])
    expect(others.state).toBe(state)
    expect(new Set(problems.map(({ failure }) => failure?.code))).toEqual(new Set(codes))
  })

  test.each([
    ['failing', 'no token', []],
    ['degraded', 'a token', [cached()]],
  ])(
    'is %s once the projected token can no longer be read and %s is cached',
    (state, _, entries) => {
      const observed = observe({ entries })
      expect([observed.isReady(), observed.isReady()]).toEqual([true, true])
      const lastSubject = readable.assertion.subject
      observed.assertions.set(TOKEN_FILE, { ...unread, lastSubject })
      expect(observed.document([])).toMatchObject({
        state,
        workload: { namespace: 'shop', serviceAccount: 'orders' },
        problems: [
          {
            summary: 'there is no [redacted]',
            failure: { code: missing.code, message: 'there is no [redacted]' },
          },
        ],
      })
      expect(observed.isReady()).toBe(true)
      expect(observed.lines.filter(({ event }) => event === 'ready')).toHaveLength(1)
    },
  )

  test('has the problem of each projected token while the sidecar starts, without a credential', () => {
    const { assertions, readiness } = observe({ assertion: unread })
    const empty = new BrokerError('assertion_empty', 'it is empty')
    assertions.set('/other', { ...unread, error: empty })
    const reasons = ['there is no [redacted]. Fix: mount it', 'it is empty']
    expect(readiness()).toEqual({ ready: false, reasons })
    assertions.clear()
    expect(readiness().reasons).toEqual([expect.stringContaining('not been read yet')])
  })
})

test('the document names no workload if the subject is not a name of Kubernetes', () => {
  const subject = 'system:serviceaccount:$(reboot):orders'
  const assertion = { ...readable, assertion: { ...readable.assertion, subject } }
  const host: unknown = expect.any(String)
  expect(observe({ assertion }).document([]).workload).toEqual({ host, inPod: true })
})

test('the document keeps the latest twenty kinds of exchanges', () => {
  const observed = observe()
  const add = (scope: string) =>
    observed.onExchange(exchange({ request: { identity: ORDERS, scope } }))
  const names = Array.from({ length: 20 }, (_, index) => `api://${index}`)
  for (const name of [...names, 'api://0', 'api://new']) add(`${name}/.default`)
  const kept = observed.document([]).exchanges.map(({ resource, count }) => [resource, count])
  const others = names.slice(2).toReversed()
  expect(kept).toEqual([['api://new', 1], ['api://0', 2], ...others.map((name) => [name, 1])])
})

test('describeSettings gives the source of each setting, and redacts credentials', () => {
  const shown = describeSettings({
    WIMDS_IDENTITY_HEADER: 'a-shared-secret',
    HTTPS_PROXY: 'http://user:pa55word@proxy.example:3128',
    WIMDS_AUDIENCE: 'eyJhbGciOiJSUzI1NiJ9.eyJhIjoxfQ.c2lnbmF0dXJl',
    UNRELATED: 'not a setting',
  })
  expect(JSON.stringify(shown)).not.toMatch(/a-shared-secret|pa55word|eyJ|not a setting/)
  const proxy = 'http://[redacted]@proxy.example:3128'
  expect(shown).toContainEqual({ name: 'HTTPS_PROXY', value: proxy, source: 'environment' })
  expect(shown).toContainEqual({ name: 'WIMDS_LOG_LEVEL', value: 'info', source: 'default' })
})

test('docs/status.schema.json is the published schema', async () => {
  const published = await formatJson({
    ...z.toJSONSchema(StatusSchema, { target: 'draft-2020-12' }),
    title: 'wimds status',
    description: 'What /status.json on the admin port answers.',
  })
  await expect(published).toMatchFileSnapshot('../../../docs/status.schema.json')
})

test.each([
  { tokens: manyOf({}) },
  { warnings: manyOf(0) },
  { problems: [{ summary: '', resources: manyOf(0) }] },
])('a document of 300 000 wrong elements has few problems', (document) => {
  const { error } = StatusSchema.safeParse(document)
  expect(error?.issues.length).toBeLessThan(30)
})

function manyOf<T>(value: T): readonly T[] {
  return Array<T>(300_000).fill(value)
}
