import { format } from 'prettier'
import { describe, expect, test } from 'vitest'
import * as z from 'zod/mini'
import { BrokerError } from '../../../src/lib/errors.ts'
import { describeSettings } from '../../../src/broker/config/settings.ts'
import { type StatusDocument, StatusSchema } from '../../../src/broker/telemetry/status-schema.ts'
import { aToken, NOW, ORDERS } from '../../fixtures/parts.ts'
import { aStatus } from '../../fixtures/status.ts'
import { toWallTimes } from '../../../src/broker/tokens/lifetime.ts'
import type { CacheEntry } from '../../../src/broker/tokens/cache-entry.ts'
import {
  cached,
  exchange,
  failing,
  observe,
  readable,
  reply,
  TOKEN_FILE,
  VAULT,
} from './observed.ts'

const documentOf = (given: Parameters<typeof observe>[0]) => {
  const { readiness, document } = observe(given)
  readiness()
  return document([])
}

/** Returns the document of a sidecar with every kind of event. */
function busy(): StatusDocument {
  const observed = observe({ entries: [cached(), failing('federated_credential_not_found')] })
  const entra = { aadsts: 700213, traceId: 'a-trace', correlationId: 'a-correlation' }
  const error = new BrokerError('federated_credential_not_found', 'AADSTS700213: no match', {
    entra,
  })
  observed.onExchange(exchange())
  observed.onExchange(exchange({ outcome: { ok: false, error } }))
  const query = { selector: { by: 'default' }, resource: 'https://vault.azure.net/' } as const
  const aRequest = { identity: ORDERS, scope: VAULT }
  const other = { ...query, resource: 'https://storage.azure.com/.default' }
  observed.onReply(reply({ error, asked: { query, request: aRequest } }))
  observed.onReply(reply({ error, asked: { query, request: aRequest } }))
  observed.onReply(reply({ error, asked: { query: other, request: aRequest } }))
  observed.onSkew(1234)
  return observed.document(describeSettings({ AZURE_TENANT_ID: 'contoso.example' }))
}

/** Returns the instant that is so many milliseconds after `NOW`. */
const after = (ms: number) => new Date(NOW + ms).toISOString()

const view = (env: Record<string, string>) =>
  Object.fromEntries(describeSettings(env).map(({ name, ...rest }) => [name, rest]))

/** Returns a failing token for a resource as an identity of the same name. */
const aFailure = (name: string, since: number, ttlMs?: number): CacheEntry =>
  failing('entra_timeout', 1, {
    request: {
      identity: { ...ORDERS, name, clientId: name },
      scope: `https://${name}.example/.default`,
    },
    failure: { error: new BrokerError('entra_timeout', 'too slow'), count: 1, since },
    ...(ttlMs !== undefined && { token: aToken(undefined, ttlMs) }),
  })

test('warns of a clock that is more than five minutes off, once in the log until it is right', () => {
  const observed = observe()
  for (const ms of [299_000, 899_600, 899_700, 0, -899_600, -899_700]) observed.onSkew(ms)
  expect(observed.document([]).warnings).toEqual([expect.stringContaining('899.7 s behind')])
  expect(observed.lines.filter(({ event }) => event === 'clock_skew')).toMatchObject([
    { level: 'warn', message: expect.stringContaining('899.6 s ahead of') },
    { level: 'warn', message: expect.stringContaining('899.6 s behind') },
  ])
})

test.each([-10, 2])('has times by the clock that was set by %i h', (hours) => {
  let stepMs = 0
  const clock = { wall: () => NOW + stepMs, monotonic: () => 0 }
  const token = aToken(undefined, 86_400_000)
  const observed = observe({ clock, entries: [cached({ token })] })
  observed.onSkew(0)
  observed.onExchange(exchange())
  observed.onReply(reply({ error: new BrokerError('internal', 'failed') }))
  stepMs = hours * 3_600_000
  const now = after(stepMs)
  expect(observed.document([])).toMatchObject({
    // The projected token is not reported as expired.
    state: 'ready',
    generatedAt: now,
    startedAt: now,
    clockSkewSeconds: hours * 3600,
    tokens: [
      {
        cached: { expiresAt: new Date(toWallTimes(token.lifetime, clock).expiresAt).toISOString() },
      },
    ],
    exchanges: [{ at: now }],
    failedRequests: [{ lastAt: now }],
    clients: [{ lastSeenAt: now }],
  })
})

describe('the state', () => {
  test.each<readonly [StatusDocument['state'], string, readonly CacheEntry[]]>([
    ['ready', 'nothing fails', [cached()]],
    ['failing', 'Entra ID cannot be reached', [failing('entra_unreachable')]],
    ['degraded', 'Entra ID rejects a resource alone', [failing('resource_refused')]],
    [
      'degraded',
      'Entra ID rejects one token and another is cached',
      [failing('federated_credential_mismatch'), cached()],
    ],
    [
      'failing',
      'Entra ID rejects a resource and the identity',
      [failing('resource_refused'), failing('federated_credential_mismatch')],
    ],
  ])('is %s while %s', (state, _, entries) => {
    const document = documentOf({ entries })
    expect(document.state).toBe(state)
    expect(document.problems).toHaveLength(entries.filter(({ failure }) => failure).length)
  })

  const missing = new BrokerError('assertion_missing', 'there is no projected token', 'mount it')
  const unread = { ok: false, error: missing, since: -60_000 } as const
  const expired = { ok: true, assertion: { ...readable.assertion, expiresAt: NOW - 5000 } } as const
  const refreshing = failing('entra_timeout', 2, { token: aToken() })

  test.each<[StatusDocument['state'], string, Parameters<typeof observe>[0], object]>([
    [
      'starting',
      'no projected token was read',
      { assertion: unread },
      { summary: missing.problem, failingSince: after(-60_000) },
    ],
    [
      'failing',
      'the first projected token has expired',
      { assertion: expired },
      { failure: { code: 'assertion_expired' }, failingSince: after(-5000) },
    ],
    [
      'degraded',
      'a refresh fails and the token is still served',
      { entries: [refreshing] },
      { summary: expect.stringMatching(/still served$/), failure: { code: 'entra_timeout' } },
    ],
  ])('is %s while %s, with the problem', (state, _, given, problem) => {
    expect(documentOf(given)).toMatchObject({ state, problems: [problem] })
  })

  test('is failing without an identity, unless a token is cached for a client id of a request', () => {
    const directory = { identities: [] }
    expect(documentOf({ directory })).toMatchObject({
      state: 'failing',
      problems: [
        {
          summary: 'no identity is configured, so a request without client_id gets no token',
          failure: { code: 'identity_not_found', fix: expect.stringContaining('AZURE_CLIENT_ID') },
        },
      ],
    })
    expect(documentOf({ directory, entries: [cached()] }).state).toBe('ready')
  })

  /** Returns the document of a sidecar that has read a token, and can no longer. */
  function documentWith(entries: readonly CacheEntry[]): StatusDocument {
    const observed = observe({ entries })
    observed.readiness()
    const lastSubject = readable.assertion.subject
    observed.assertions.set(TOKEN_FILE, { ...unread, lastSubject })
    return observed.document([])
  }

  test.each([
    ['failing', 'no token', []],
    ['degraded', 'a token', [cached()]],
  ])('is %s while the projected token cannot be read and %s is cached', (state, _, entries) => {
    expect(documentWith(entries)).toMatchObject({
      state,
      problems: [{ summary: missing.problem, failure: { code: missing.code } }],
    })
  })

  test('is one problem for all tokens of an identity that fail with the same code', () => {
    const storage = { identity: ORDERS, scope: 'https://storage.azure.com/.default' }
    const entries = [
      failing('federated_credential_mismatch', 2),
      failing('federated_credential_mismatch', 7, {
        request: storage,
        failure: {
          error: new BrokerError('federated_credential_mismatch', 'it happened'),
          count: 7,
          since: -90_000,
        },
      }),
    ]
    expect(documentOf({ entries }).problems).toEqual([
      {
        summary: 'no token for https://vault.azure.net, https://storage.azure.com as orders',
        identity: 'orders',
        clientId: ORDERS.clientId,
        resources: ['https://vault.azure.net', 'https://storage.azure.com'],
        consecutiveFailures: 7,
        failingSince: after(-90_000),
        nextAttemptAt: after(5000),
        failure: {
          code: 'federated_credential_mismatch',
          message: 'federated_credential_mismatch happened',
        },
      },
    ])
  })

  describe('while the projected token cannot be read', () => {
    const token = aToken(undefined, 600_000)

    test('says until when the tokens of its file are served', () => {
      const other = { ...ORDERS, tokenFile: '/other' }
      const entries = [
        cached({ request: { identity: ORDERS, scope: VAULT }, token }),
        cached({ request: { identity: ORDERS, scope: VAULT }, token: aToken(undefined, 900_000) }),
        cached({ request: { identity: other, scope: VAULT }, token: aToken(undefined, 1000) }),
      ]
      const [problem] = documentWith(entries).problems
      expect(problem?.servedUntil).toBe(after(600_000))
      expect(problem?.withoutToken).toBeUndefined()
    })

    test('is one problem for all tokens that fail for this reason, and names those that are not served', () => {
      const storage = { identity: ORDERS, scope: 'https://storage.azure.com/.default' }
      const entries = [
        failing('assertion_missing', 3, { request: storage }),
        failing('assertion_missing', 2, { token }),
      ]
      expect(documentWith(entries).problems).toEqual([
        {
          summary: missing.problem,
          failingSince: after(-60_000),
          servedUntil: after(600_000),
          withoutToken: [{ identity: 'orders', resource: 'https://storage.azure.com' }],
          failure: { code: missing.code, message: missing.problem, fix: missing.fix },
        },
      ])
    })

    test('begins with the first exchange that failed for this reason, if that was before the file was read', () => {
      const entries = [
        ...[-61_000, -62_000].map((since) =>
          failing('assertion_missing', 1, { failure: { error: missing, count: 1, since } }),
        ),
        aFailure('another', -90_000),
      ]
      const problem = documentWith(entries).problems.find(
        ({ failure }) => failure?.code === 'assertion_missing',
      )
      expect(problem?.failingSince).toBe(after(-62_000))
    })

    test('names the workload of the last projected token', () => {
      const workload = { namespace: 'shop', serviceAccount: 'orders' }
      expect(documentWith([])).toMatchObject({ workload })
    })
  })

  test('has what fails requests now first, the longest first, and then what will, the next first', () => {
    const entries = [
      aFailure('later', -9000, 2000),
      aFailure('new', -1000),
      aFailure('soon', -5000, 1000),
      aFailure('old', -3000),
    ]
    expect(documentOf({ entries }).problems.map(({ identity }) => identity)).toEqual([
      'old',
      'new',
      'soon',
      'later',
    ])
  })
})

describe('the document', () => {
  test('conforms to its schema', () => {
    expect(StatusSchema.parse(busy())).toEqual(busy())
    expect(StatusSchema.parse(aStatus())).toEqual(aStatus())
  })

  test('has the workload, and the latest exchanges and failed requests, grouped by kind', () => {
    const code = 'federated_credential_not_found'
    expect(busy()).toMatchObject({
      workload: { namespace: 'shop', serviceAccount: 'orders', inPod: true },
      exchanges: [
        { failure: { code, aadsts: 700213, entraTraceId: 'a-trace' } },
        { durationMs: 120 },
      ],
      failedRequests: [
        { count: 1, resource: 'https://storage.azure.com' },
        {
          count: 2,
          client: 'python-azure-identity',
          identity: ORDERS.name,
          clientId: ORDERS.clientId,
          resource: 'https://vault.azure.net/',
          failure: { code },
        },
      ],
    })
  })

  test('names no workload by a subject that is no name of Kubernetes', () => {
    const subject = 'system:serviceaccount:$(reboot):orders'
    const assertion = { ...readable, assertion: { ...readable.assertion, subject } }
    expect(observe({ assertion }).document([]).workload).toEqual({
      host: expect.any(String),
      inPod: true,
    })
  })

  test('keeps the twenty exchanges that were repeated last', () => {
    const observed = observe()
    const add = (scope: string) =>
      observed.onExchange(exchange({ request: { identity: ORDERS, scope } }))
    const names = Array.from({ length: 20 }, (_, index) => `api://${index}`)
    for (const name of [...names, 'api://0', 'api://new']) add(`${name}/.default`)
    const kept = observed.document([]).exchanges.map(({ resource, count }) => [resource, count])
    const others = names.slice(2).toReversed()
    expect(kept).toEqual([['api://new', 1], ['api://0', 2], ...others.map((name) => [name, 1])])
  })
})

describe('describeSettings', () => {
  test('gives the source of each setting', () => {
    expect(view({ WIMDS_LOG_LEVEL: 'debug' })).toMatchObject({
      WIMDS_LOG_LEVEL: { value: 'debug', source: 'environment' },
      WIMDS_MAX_CONNECTIONS: { value: '512', source: 'default' },
    })
  })

  test('redacts credentials', () => {
    const shown = view({
      WIMDS_IDENTITY_HEADER: 'a-shared-secret',
      HTTPS_PROXY: 'http://user:pa55word@proxy.example:3128',
      WIMDS_AUDIENCE: 'eyJhbGciOiJSUzI1NiJ9.eyJhIjoxfQ.c2lnbmF0dXJl',
      UNRELATED: 'not a setting',
    })
    expect(JSON.stringify(shown)).not.toMatch(/a-shared-secret|pa55word|eyJ|not a setting/)
    expect(shown['HTTPS_PROXY']?.value).toBe('http://[redacted]@proxy.example:3128')
  })
})

test('docs/status.schema.json is the published schema', async () => {
  const schema = {
    ...z.toJSONSchema(StatusSchema, { target: 'draft-2020-12' }),
    title: 'wimds status',
    description: 'What /status.json on the admin port answers.',
  }
  const published = await format(JSON.stringify(schema), { parser: 'json', printWidth: 100 })
  await expect(published).toMatchFileSnapshot('../../../docs/status.schema.json')
})
