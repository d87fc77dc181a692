/** A status document for each state of the status page. */
import type { StatusDocument } from '../../src/broker/telemetry/status-schema.ts'
import { aStatus } from '../fixtures/status.ts'

type Token = StatusDocument['tokens'][number]
type Problem = StatusDocument['problems'][number]
type Failure = StatusDocument['failedRequests'][number]['failure']

const VAULT = 'https://vault.azure.net'
const STORAGE = 'https://storage.azure.com'
const ARM = 'https://management.azure.com/'
const COSMOS = 'https://contoso-orders-prod.documents.azure.com'
const BILLING = '44444444-4444-4444-8444-444444444444'
const UNLISTED = '55555555-5555-4555-8555-555555555555'

/** Returns an instant of the day, such as `11:20`. The documents are of 12:00. */
const at = (time: string) => `2026-11-24T${time.length === 5 ? `${time}:00` : time}.000Z`

const TIMEOUT: Failure = {
  code: 'entra_unreachable',
  message: 'Entra ID cannot be reached (ECONNREFUSED)',
  fix: 'check DNS, the firewall and the proxy between the pod and the login host',
}
const NO_MATCH: Failure = {
  code: 'federated_credential_not_found',
  message:
    "AADSTS700213: No matching federated identity record found for presented assertion subject 'system:serviceaccount:shop:orders'. Check your federated identity credential Subject, Audience and Issuer against the presented assertion. Trace ID: 0f7c2a9e-6f0b-4c8e-9a43-9d4c1a6f3b00 Correlation ID: 5b1d7f0e-2c8a-4b63-8f51-3f1f6f3c2a11 Timestamp: 2026-11-24 11:59:40Z",
  fix: 'create a federated credential with subject system:serviceaccount:shop:orders, or run the pod under the service account that an existing one names; if one with this subject is still rejected ten minutes after its creation, delete and recreate it',
  aadsts: 700213,
  entraTraceId: '0f7c2a9e-6f0b-4c8e-9a43-9d4c1a6f3b00',
  entraCorrelationId: '5b1d7f0e-2c8a-4b63-8f51-3f1f6f3c2a11',
}
const UNKNOWN: Failure = {
  code: 'application_refused',
  message: `AADSTS700016: Application with identifier '${UNLISTED}' was not found in the directory 'Contoso'`,
  fix: 'use the client id, not the object id: check client_id of the request, or else AZURE_CLIENT_ID or the identities file, and the tenant; if the application was created minutes ago, wait',
  aadsts: 700016,
}

const [orders] = aStatus().identities
const [python] = aStatus().clients
const [cached] = aStatus().tokens
if (!orders || !python || !cached) throw new Error('aStatus() has changed')
const azidentity = { ...python, client: 'go-azidentity', version: '1.5.1', requests: 1207 }
const curl = { client: 'curl', version: '7.88.1', requests: 3, lastSeenAt: at('10:12:09') }
const probe: StatusDocument['failedRequests'][number] = {
  lastAt: at('11:58'),
  count: 6,
  protocol: 'imds',
  client: 'go-azidentity',
  clientVersion: '1.5.1',
  failure: { code: 'metadata_header_missing', message: 'Required metadata header not specified' },
}

const healthy: Partial<StatusDocument> = {
  identities: [
    orders,
    { ...orders, name: 'billing', clientId: BILLING, isDefault: false, resources: [STORAGE] },
  ],
  clients: [python, azidentity, curl],
  failedRequests: [probe],
}

const token = (resource: string, overrides: Partial<Token> = {}): Token => ({
  ...cached,
  resource,
  ...overrides,
})

/** Returns the problem of a token that fails since a time. */
function problemOf(
  { identity, clientId, resource, failure, nextAttemptAt, consecutiveFailures, ...rest }: Token,
  since: string,
  overrides: Partial<Problem> = {},
): Problem {
  return {
    summary: rest.cached
      ? `the token for ${resource} as ${identity} cannot be refreshed and is still served`
      : `no token for ${resource} as ${identity}`,
    identity,
    clientId,
    resources: [resource],
    consecutiveFailures,
    failingSince: at(since),
    servedUntil: rest.cached?.expiresAt,
    nextAttemptAt,
    failure,
    ...overrides,
  }
}

/** Returns exchanges for a token, which failed as the token does. */
const exchange = (time: string, { identity, resource, failure }: Token, count: number) => ({
  at: at(time),
  count,
  identity,
  resource,
  durationMs: 187,
  failure,
})

const refreshed = token(STORAGE, {
  identity: 'billing',
  clientId: BILLING,
  cached: { obtainedAt: at('11:20'), expiresAt: at('12:24') },
  nextAttemptAt: at('12:02:10'),
})

export const READY = aStatus({ ...healthy, tokens: [token(VAULT), refreshed, token(ARM)] })

const unrefreshed = {
  ...refreshed,
  nextAttemptAt: at('12:00:21'),
  consecutiveFailures: 4,
  failure: TIMEOUT,
}

export const DEGRADED = aStatus({
  ...healthy,
  state: 'degraded',
  clockSkewSeconds: 3.4,
  problems: [problemOf(unrefreshed, '11:56:48')],
  tokens: [token(VAULT), unrefreshed],
  exchanges: [exchange('11:59:21', unrefreshed, 4), ...aStatus().exchanges],
})

const unmatched = token(VAULT, {
  cached: undefined,
  nextAttemptAt: at('12:00:08'),
  consecutiveFailures: 61,
  failure: NO_MATCH,
})
const refused = token(COSMOS, {
  identity: UNLISTED,
  clientId: UNLISTED,
  cached: undefined,
  nextAttemptAt: at('12:00:20'),
  consecutiveFailures: 9,
  failure: UNKNOWN,
})

export const FAILING = aStatus({
  ...healthy,
  state: 'failing',
  problems: [
    problemOf(unmatched, '09:00:12', {
      summary: `no token for ${VAULT}, ${STORAGE} as orders`,
      resources: [VAULT, STORAGE],
      explanation: 'no federated credential of the identity has the subject of the assertion',
    }),
    problemOf(refused, '11:57:02', {
      explanation: 'the application is not known in the tenant',
    }),
  ],
  tokens: [unmatched, { ...unmatched, resource: STORAGE, consecutiveFailures: 3 }, refused],
  exchanges: [exchange('11:59:40', unmatched, 61), exchange('11:59:38', refused, 9)],
  failedRequests: [
    {
      lastAt: at('11:59:58'),
      count: 212,
      protocol: 'imds',
      client: 'python-azure-identity',
      clientVersion: '1.5.0',
      failure: NO_MATCH,
    },
    probe,
  ],
  warnings: [
    'WIMDS_PREFECH is not a setting of wimds and has no effect. Did you mean WIMDS_PREFETCH?',
    'the identities file has changed (read at 2026-11-24 11:42:10 UTC), and the old one is still in use:\n  WIMDS_CONFIG: /etc/wimds/identities.yaml:4:15: identities[1].clientId: must be a GUID, not "billing". Fix: correct the file; it is read again by itself',
  ],
})

/** Before anything has happened. */
export const STARTING = aStatus({
  state: 'starting',
  problems: [{ summary: 'the projected token has not been read yet' }],
  assertions: [],
  tokens: [],
  exchanges: [],
  clients: [],
})

/** Every string is an attack on the page. */
export function hostile(): StatusDocument {
  const attack = `"'><img src=x onerror=alert(1)><script>alert(2)</script><svg onload=alert(3)>&lt;b&gt;`
  const json = JSON.stringify(FAILING, (_, value: unknown) =>
    typeof value !== 'string' || /^\d{4}-\d\d-\d\dT/.test(value) || value === 'failing'
      ? value
      : attack,
  )
  const document: StatusDocument = JSON.parse(json)
  return document
}
