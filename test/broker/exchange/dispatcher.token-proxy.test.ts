/** Exchanges through the token proxy of a cluster's identity bindings, over real TLS. */
import type { Dispatcher } from 'undici'
import { afterEach, describe, expect, test } from 'vitest'
import type { TokenProxySettings } from '../../../src/broker/config/config.ts'
import { createTestExchange } from './test-exchange.ts'
import { createTokenProxyDispatcher } from '../../../src/broker/exchange/dispatcher.ts'
import { TOKEN_PROXY, withPeer } from '../../../src/broker/exchange/transport-errors.ts'
import type { FaultInput } from '../../../src/tools/simulator/faults/faults.ts'
import { serve } from '../../../src/tools/simulator/http/serve.ts'
import { createTokenProxy } from '../../fixtures/token-proxy.ts'
import { createSimulator, type Simulator } from '../../../src/tools/simulator/simulator.ts'
import { systemClock } from '../../../src/broker/tokens/lifetime.ts'
import { createCertificateAuthority } from '../../../src/lib/x509.ts'
import { identityOf } from '../../fixtures/identity.ts'

const NAME = 'token-proxy.cluster.example'
let stack = new AsyncDisposableStack()
afterEach(async () => {
  await stack.disposeAsync()
  stack = new AsyncDisposableStack()
})

test.each([
  ['/cluster/tenant-a', '/cluster/tenant-a/'],
  ['', ''],
])('sends exchanges to the path %j of the token proxy only', async (prefix, path) => {
  const { exchange, requests, caPem } = await startTokenProxy(prefix)
  await exchange({ ca: { pem: caPem }, sniName: NAME }, path)
  expect(requests.map(({ url }) => new URL(url).pathname)).toEqual([
    `${prefix}/22222222-2222-4222-8222-222222222222/oauth2/v2.0/token`,
  ])
  const [request] = requests
  expect(request?.method).toBe('POST')
  expect(await request?.text()).toContain('client_assertion=eyJ')
  // The host of the proxy, not of Entra ID.
  expect(new URL(request?.url ?? '').hostname).toBe('127.0.0.1')
})

test('verifies the certificate against the SNI name, by default against the host', async () => {
  const { exchange, caPem } = await startTokenProxy('')
  await expect(exchange({ ca: { pem: caPem } }, '')).rejects.toMatchObject({ code: 'entra_tls' })
  // The error names the settings of the token proxy.
  const rejected = exchange({ ca: { pem: caPem }, sniName: 'other.example' }, '')
  await expect(rejected).rejects.toMatchObject({
    code: 'entra_tls',
    message: expect.stringMatching(
      /token proxy.*ERR_TLS_CERT_ALTNAME_INVALID.*AZURE_KUBERNETES_CA_FILE.*AZURE_KUBERNETES_SNI_NAME/,
    ),
    cause: { code: 'ERR_TLS_CERT_ALTNAME_INVALID' },
  })
})

test('trusts the given CA only', async () => {
  const { exchange, requests } = await startTokenProxy('')
  const { caPem: other } = await createCertificateAuthority()
  await expect(exchange({ ca: { pem: other }, sniName: NAME }, '')).rejects.toMatchObject({
    code: 'entra_tls',
  })
  await expect(exchange({ sniName: NAME }, '')).rejects.toMatchObject({ code: 'entra_tls' })
  expect(requests).toEqual([])
})

describe('an identity', () => {
  test.each([
    ['with a token for bindings uses the token proxy', 'api://AKSIdentityBinding', undefined, 1],
    ['with a token for direct federation does not', 'api://AzureADTokenExchange', undefined, 0],
    ['of another cloud does not either', 'api://AzureADTokenExchangeUSGov', undefined, 0],
    ['with exchangeVia entra does not', 'api://AKSIdentityBinding', 'entra', 0],
    ['with exchangeVia token-proxy does', 'api://AzureADTokenExchange', 'token-proxy', 1],
  ] as const)('%s', async (_, audience, exchangeVia, proxied) => {
    const { simulator, createDispatcher, requests, caPem } = await startTokenProxy('')
    for (const { federatedCredentials } of simulator.directory.applications) {
      for (const credential of federatedCredentials) credential.audience = audience
    }
    await simulator.rotateToken({ audience })
    const source = createTestExchange({
      dispatcher: simulator.dispatcher,
      tokenProxy: toProxy(createDispatcher({ ca: { pem: caPem }, sniName: NAME }, '')),
      clock: systemClock,
    })
    const identity = { ...identityOf(simulator), ...(exchangeVia !== undefined && { exchangeVia }) }
    await source({ identity, scope: 'https://vault.azure.net/.default' })
    expect(requests).toHaveLength(proxied)
    expect(simulator.log.counters().byTarget.token).toBe(1)
  })
})

describe('a rejection of the token proxy itself', () => {
  const RBAC = JSON.stringify({ kind: 'Status', message: 'orders cannot use-managed-identity' })
  const ENTRA = '{"error_codes":[700213],"error_description":"AADSTS700213: no"}'
  const CANNOT = /answered 403 "orders cannot.*Fix: create a ClusterRole/
  const PATH =
    /^the token proxy of the cluster answered 404 "no such path", which.*Fix: check AZURE_KUBERNETES_TOKEN_PROXY/

  test.each<[string, number, string, string, RegExp]>([
    ['of RBAC', 403, RBAC, 'token_proxy_forbidden', CANNOT],
    ['in plain text', 403, 'Forbidden', 'token_proxy_forbidden', /answered 403 "Forbidden"/],
    ['of the token', 401, '{}', 'assertion_refused', /does not accept.*api:\/\/AKSIdentityBinding/],
    ['that is Entra ID’s', 401, ENTRA, 'federated_credential_not_found', /^AADSTS700213/],
    ['of the path', 404, 'no such path', 'entra_bad_response', PATH],
    ['of another kind', 500, 'no', 'entra_unavailable', /answered 500 "no"/],
  ])('%s becomes an error code', async (_, status, body, code, message) => {
    await using simulator = await createSimulator()
    simulator.faults.add({ kind: 'status', status, body, contentType: 'application/json' })
    await expect(exchangeViaTokenProxy(simulator)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
    })
  })
})

test('a 401 of the token proxy for an expired token is temporary', async () => {
  await using simulator = await createSimulator()
  const headers = { date: new Date(Date.now() + 2 * 3_600_000).toUTCString() }
  simulator.faults.add({ kind: 'status', status: 401, body: 'Unauthorized', headers })
  await expect(exchangeViaTokenProxy(simulator)).rejects.toMatchObject({
    code: 'assertion_expired',
    isPermanent: false,
    message: expect.stringMatching(/^the projected token expired at .*, so the token proxy of/),
  })
})

test('an internal issuer is no fault of an exchange through the token proxy', async () => {
  await using simulator = await createSimulator()
  await simulator.rotateToken({ claims: { iss: 'https://kubernetes.default.svc.cluster.local' } })
  await expect(exchangeViaTokenProxy(simulator)).rejects.toMatchObject({
    code: 'federated_credential_not_found',
  })
})

describe('a failure of the token proxy is not reported as one of Entra ID:', () => {
  const REDIRECT = {
    kind: 'status',
    status: 307,
    headers: { location: 'https://a.test/' },
  } as const
  const LARGE = { kind: 'status', status: 200, body: 'x'.repeat(1_000_000) } as const
  const NO_TOKEN = { kind: 'status', status: 200, body: '{"expires_in":3599}' } as const

  test.each<[string, string, FaultInput]>([
    ['did not answer in time', 'entra_timeout', { kind: 'hang' }],
    ['cannot be reached', 'entra_unreachable', { kind: 'reset' }],
    ['got a redirect (307)', 'entra_redirected', REDIRECT],
    ['got a response of more than 262144 bytes', 'entra_bad_response', LARGE],
    ['got 200 without a usable token', 'entra_bad_response', NO_TOKEN],
  ])('it %s', async (what, code, fault) => {
    await using simulator = await createSimulator()
    simulator.faults.add(fault)
    const limit = new AbortController()
    const outcome = exchangeViaTokenProxy(simulator, limit.signal).catch((error: unknown) => error)
    await expect.poll(() => simulator.exchanges(), { timeout: 60_000 }).toBe(1)
    if (fault.kind === 'hang') limit.abort(new DOMException('Too late', 'TimeoutError'))
    const failure = await outcome
    expect(failure).toMatchObject({ code })
    expect(String(failure)).toContain(`the token proxy of the cluster at proxy.test:443 ${what}`)
    expect(String(failure)).toContain('Fix: check AZURE_KUBERNETES_TOKEN_PROXY')
    expect(String(failure)).not.toMatch(/Entra ID|login host/)
  })
})

/** Starts a token proxy before a simulated Entra ID. */
async function startTokenProxy(prefix: string) {
  const simulator = stack.use(await createSimulator())
  const authority = await createCertificateAuthority()
  const requests: Request[] = []
  const server = createTokenProxy({
    prefix,
    authorityHost: simulator.authorityHost,
    dispatcher: simulator.dispatcher,
    onRequest: (request) => requests.push(request),
  })
  const running = stack.use(await serve(server, { tls: await authority.issue({ names: [NAME] }) }))

  function createDispatcher(settings: Omit<TokenProxySettings, 'url'>, path: string) {
    const dispatcher = createTokenProxyDispatcher({ ...settings, url: running.url + path })
    stack.defer(() => dispatcher.destroy())
    return dispatcher
  }

  return {
    simulator,
    caPem: authority.caPem,
    url: running.url,
    requests,
    createDispatcher,
    exchange: (settings: Omit<TokenProxySettings, 'url'>, path: string) =>
      createTestExchange({
        dispatcher: simulator.dispatcher,
        tokenProxy: toProxy(createDispatcher(settings, path)),
        clock: systemClock,
      })({
        identity: { ...identityOf(simulator), exchangeVia: 'token-proxy' },
        scope: 'https://vault.azure.net/.default',
      }),
  }
}

const toProxy = (dispatcher: Dispatcher, url = 'https://proxy.test') => ({
  dispatcher,
  destination: withPeer(TOKEN_PROXY, url),
})

/** Makes an exchange at this simulator as the token proxy. */
function exchangeViaTokenProxy(simulator: Simulator, signal?: AbortSignal) {
  const source = createTestExchange({
    dispatcher: simulator.dispatcher,
    tokenProxy: toProxy(simulator.dispatcher, 'https://proxy.test/path'),
    clock: systemClock,
  })
  const identity = { ...identityOf(simulator), exchangeVia: 'token-proxy' } as const
  return source({ identity, scope: 'https://vault.azure.net/.default' }, signal)
}
