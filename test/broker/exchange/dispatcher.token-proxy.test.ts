/** Exchanges through the token proxy of a cluster's identity bindings, over real TLS. */
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Config } from '../../../src/broker/config/config.ts'
import type { Identity } from '../../../src/broker/identities.ts'
import { createTestExchange } from './test-exchange.ts'
import { createExchangeDispatchers } from '../../../src/broker/exchange/dispatcher.ts'
import { TOKEN_PROXY, withPeer } from '../../../src/broker/exchange/transport-errors.ts'
import type { FaultInput } from '../../../src/tools/simulator/faults/faults.ts'
import { serve } from '../../../src/tools/simulator/http/serve.ts'
import { createTokenProxy } from '../../fixtures/token-proxy.ts'
import { createSimulator } from '../../../src/tools/simulator/simulator.ts'
import { systemClock } from '../../../src/broker/tokens/lifetime.ts'
import { createCertificateAuthority } from '../../../src/lib/x509.ts'
import { identityOf } from '../../fixtures/identity.ts'

type TokenProxy = NonNullable<Config['exchange']['tokenProxy']>

const NAME = 'token-proxy.cluster.example'
const SCOPE = 'https://vault.azure.net/.default'
let stack = new AsyncDisposableStack()
afterEach(async () => {
  await stack.disposeAsync()
  stack = new AsyncDisposableStack()
})

/** Starts a token proxy in front of a simulated Entra ID. */
async function startTokenProxy(prefix = '') {
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

  /** Makes an exchange with these settings, by default the settings of the token proxy. */
  function exchange(
    settings: Partial<TokenProxy>,
    by: Pick<Identity, 'exchangeVia'> = { exchangeVia: 'token-proxy' },
  ) {
    const ca = { pem: authority.caPem }
    const { tokenProxy } = createExchangeDispatchers({
      tokenProxy: { url: running.url, ca, sniName: NAME, ...settings },
      extraCa: undefined,
      proxy: undefined,
      timeoutMs: 60_000,
    })
    stack.defer(() => tokenProxy?.dispatcher.destroy())
    const { dispatcher } = simulator
    const source = createTestExchange({ dispatcher, tokenProxy, clock: systemClock })
    return source({ identity: { ...identityOf(simulator), ...by }, scope: SCOPE })
  }

  return { simulator, url: running.url, requests, exchange }
}

test('sends exchanges to the path of the token proxy only', async () => {
  const prefix = '/cluster/tenant-a'
  const { exchange, requests, url: proxy } = await startTokenProxy(prefix)
  await exchange({ url: `${proxy}${prefix}/` })
  const [{ method, url } = { method: '', url: '' }] = requests
  const { hostname, pathname } = new URL(url)
  expect({ method, hostname, pathname }).toEqual({
    method: 'POST',
    hostname: '127.0.0.1',
    pathname: `${prefix}/22222222-2222-4222-8222-222222222222/oauth2/v2.0/token`,
  })
  expect(requests).toHaveLength(1)
  expect(await requests[0]?.text()).toContain('client_assertion=eyJ')
})

test.each<[string, (otherCa: string) => Partial<TokenProxy>]>([
  ['the host, without an SNI name', () => ({ sniName: undefined })],
  ['the SNI name', () => ({ sniName: 'other.example' })],
  ['the given CA', (otherCa) => ({ ca: { pem: otherCa } })],
  ['the default roots, without a CA', () => ({ ca: undefined })],
])('rejects a certificate that does not match %s', async (_, change) => {
  const { exchange, requests } = await startTokenProxy()
  const { caPem } = await createCertificateAuthority()
  // The error names the settings of the token proxy.
  await expect(exchange(change(caPem))).rejects.toMatchObject({
    code: 'entra_tls',
    fix: expect.stringMatching(/AZURE_KUBERNETES_CA_FILE.*AZURE_KUBERNETES_SNI_NAME/),
  })
  expect(requests).toEqual([])
})

test.each([
  ['with a token for bindings uses the token proxy', 'api://AKSIdentityBinding', undefined, 1],
  ['with a token for direct federation does not', 'api://AzureADTokenExchange', undefined, 0],
  ['with exchangeVia entra does not', 'api://AKSIdentityBinding', 'entra', 0],
] as const)('an identity %s', async (_, audience, exchangeVia, proxied) => {
  const { simulator, exchange, requests } = await startTokenProxy()
  for (const { federatedCredentials } of simulator.directory.applications) {
    for (const credential of federatedCredentials) credential.audience = audience
  }
  await simulator.rotateToken({ audience })
  await exchange({}, { exchangeVia })
  expect(requests).toHaveLength(proxied)
  expect(simulator.log.counters().byTarget.token).toBe(1)
})

const simulator = await createSimulator()
afterAll(() => simulator.close())
beforeEach(async () => {
  simulator.faults.clear()
  simulator.log.clear()
  await simulator.rotateToken()
})

/** Forwards an exchange to the simulator, as the token proxy does. */
function exchangeViaTokenProxy(signal?: AbortSignal) {
  const { dispatcher } = simulator
  const tokenProxy = { dispatcher, destination: withPeer(TOKEN_PROXY, 'https://proxy.test/path') }
  const source = createTestExchange({ dispatcher, tokenProxy, clock: systemClock })
  const identity = { ...identityOf(simulator), exchangeVia: 'token-proxy' } as const
  return source({ identity, scope: SCOPE }, signal)
}

describe('a rejection of the token proxy itself', () => {
  const RBAC = JSON.stringify({ kind: 'Status', message: 'orders cannot use-managed-identity' })
  const ENTRA = '{"error_codes":[700213],"error_description":"AADSTS700213: no"}'

  test.each<[string, number, string, string, string]>([
    ['of RBAC', 403, RBAC, 'token_proxy_forbidden', 'answered 403 "orders cannot'],
    ['of the token', 401, '{}', 'assertion_refused', 'api://AKSIdentityBinding'],
    ['that is Entra ID’s', 401, ENTRA, 'federated_credential_not_found', 'AADSTS700213'],
    ['of the path', 404, 'no such path', 'entra_bad_response', 'answered 404 "no such path"'],
  ])('%s becomes an error code with a fix', async (_, status, body, code, problem) => {
    simulator.faults.add({ kind: 'status', status, body, contentType: 'application/json' })
    await expect(exchangeViaTokenProxy()).rejects.toMatchObject({
      code,
      message: expect.stringContaining(problem),
      fix: expect.any(String),
    })
  })
})

test('a 401 of the token proxy for an expired token is temporary', async () => {
  const headers = { date: new Date(Date.now() + 2 * 3_600_000).toUTCString() }
  simulator.faults.add({ kind: 'status', status: 401, body: 'Unauthorized', headers })
  await expect(exchangeViaTokenProxy()).rejects.toMatchObject({
    code: 'assertion_expired',
    isPermanent: false,
    problem: expect.stringContaining('the token proxy of the cluster rejects it'),
    fix: expect.any(String),
  })
})

test('an internal issuer does not explain the failure of an exchange through the token proxy', async () => {
  await simulator.rotateToken({ claims: { iss: 'https://kubernetes.default.svc.cluster.local' } })
  await expect(exchangeViaTokenProxy()).rejects.toMatchObject({
    code: 'federated_credential_not_found',
  })
})

test.each<[string, string, FaultInput]>([
  ['did not answer in time', 'entra_timeout', { kind: 'hang' }],
  [
    'got a redirect (307)',
    'entra_redirected',
    { kind: 'status', status: 307, headers: { location: 'https://a.test/' } },
  ],
  [
    'got a response of more than 262144 bytes',
    'entra_bad_response',
    { kind: 'status', status: 200, body: 'x'.repeat(1_000_000) },
  ],
  [
    'got 200 without a usable token',
    'entra_bad_response',
    { kind: 'status', status: 200, body: '{"expires_in":3599}' },
  ],
])(
  'the error names the token proxy, and not Entra ID, if the token proxy %s',
  async (what, code, fault) => {
    simulator.faults.add(fault)
    const limit = new AbortController()
    const outcome = exchangeViaTokenProxy(limit.signal).catch((error: unknown) => error)
    await expect.poll(() => simulator.exchanges(), { timeout: 60_000 }).toBe(1)
    if (fault.kind === 'hang') limit.abort(new DOMException('Too late', 'TimeoutError'))
    const failure = await outcome
    expect(failure).toMatchObject({ code })
    expect(String(failure)).toContain(`the token proxy of the cluster at proxy.test:443 ${what}`)
    expect(String(failure)).toContain('Fix: check AZURE_KUBERNETES_TOKEN_PROXY')
    expect(String(failure)).not.toMatch(/Entra ID|login host/)
  },
)
