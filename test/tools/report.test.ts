import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { describe, expect, test } from 'vitest'
import { report } from '../../src/tools/report/report.ts'
import { VERSION } from '../../src/lib/version.ts'
import { trust } from '../fixtures/api-server.ts'
import { createFolder } from '../fixtures/folder.ts'
import { listening } from '../fixtures/listening.ts'
import { aStatus } from '../fixtures/status.ts'
import { freePort } from '../support/free-port.ts'
import { runCommand } from './capture.ts'

/** Starts a server with these responses; `requests` are the URLs of its requests. */
async function answering(
  answer: (url: URL) => { status?: number; body: unknown },
): Promise<{ origin: string; requests: string[] } & AsyncDisposable> {
  const requests: string[] = []
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '', 'http://localhost')
    requests.push(`${url.pathname}${url.search}`)
    const { status = 200, body } = answer(url)
    response.writeHead(status, { 'content-type': 'application/json', location: '/elsewhere' })
    response.end(typeof body === 'string' ? body : JSON.stringify(body))
  })
  const { port, [Symbol.asyncDispose]: dispose } = await listening(server)
  return { origin: `http://127.0.0.1:${port}`, requests, [Symbol.asyncDispose]: dispose }
}

/** Starts the port of a sidecar, a broker or a Prometheus that answers this document. */
const serving = (body: unknown) => answering(() => ({ body }))

const client = (overrides: Record<string, unknown>) => ({ ...aStatus().clients[0], ...overrides })

const sidecar = (serviceAccount: string, ...clients: readonly Record<string, unknown>[]) => ({
  ...aStatus(),
  workload: { host: `${serviceAccount}-pod`, namespace: 'shop', serviceAccount },
  clients,
})

const run = (args: readonly string[]) => runCommand(report, args)

describe('from sidecars', () => {
  test('lists clients by workload, with the version to upgrade to', async () => {
    await using orders = await serving(sidecar('orders', client({})))
    await using billing = await serving(
      sidecar('billing', client({ client: 'go-azidentity', version: '1.15.0' })),
    )
    const { code, out } = await run(['--url', orders.origin, '--url', billing.origin])
    expect(code).toBe(0)
    expect(out).toBe(`\
WORKLOAD      CLIENT                   VERSION  REQUESTS  LAST SEEN
shop/billing  azidentity (Go)          1.15.0   42        2026-11-24 11:59 UTC
    → this version supports workload identity: use DefaultAzureCredential or WorkloadIdentityCredential
shop/orders   azure-identity (Python)  1.5.0    42        2026-11-24 11:59 UTC
    → upgrade to 1.13.0: use DefaultAzureCredential or WorkloadIdentityCredential

2 workloads call; 1 has only libraries whose current versions work without the sidecar.
`)
    expect(orders.requests).toEqual(['/status.json'])
  })

  test('advises for a client that supports workload identity in no version', async () => {
    await using orders = await serving(sidecar('orders', client({ client: 'curl', version: '8' })))
    const { out } = await run(['--url', orders.origin])
    expect(out).toContain('\n    → find out which library calls (a script), ')
  })

  test('reports the period without requests, and does not claim that the sidecar is not needed', async () => {
    await using idle = await serving(sidecar('orders'))
    expect(await run(['--url', idle.origin])).toMatchObject({
      code: 0,
      out: 'No requests to the sidecar of shop/orders since its start, 2026-11-24 09:00 UTC.\n',
    })
  })

  test('merges replicas, also of another version, and exits 1 for one that cannot be reached', async () => {
    const workload = { host: 'orders-pod', namespace: 'shop', serviceAccount: 'orders' }
    const seen = { client: 'python-azure-identity', version: '1.5.0', requests: 40 }
    const early = { ...seen, lastSeenAt: '2026-11-24T08:00:00.000Z' }
    const other = { workload, state: 'a-new-state', startedAt: '2026-11-24T07:00:00.000Z' }
    await using first = await serving(sidecar('orders', client({ requests: 2 })))
    await using second = await serving({ ...other, clients: [early] })
    const gone = `http://127.0.0.1:${await freePort()}`
    const urls = [first.origin, second.origin, gone].flatMap((url) => ['--url', url])
    const { code, out, err } = await run(['-o', 'json', ...urls])
    expect(code).toBe(1)
    expect(err).toMatch(/^wimds report: \S+: cannot connect \(ECONNREFUSED\)\. Fix: .*\n$/)
    expect(err).toContain(`${gone}/status.json`)
    expect(JSON.parse(out)).toMatchObject({
      schemaVersion: 1,
      version: VERSION,
      rows: [
        {
          workload: 'shop/orders',
          requests: 42,
          lastSeenAt: '2026-11-24T11:59:30.000Z',
          workloadIdentitySince: '1.13.0',
          supportsWorkloadIdentity: false,
        },
      ],
    })
  })

  test.each([
    [
      { status: 404, body: { error: 'not_found' } },
      /status\.json: HTTP status 404: \{"error":"not_found"\}\. Fix: give the URL of a sidecar's admin port/,
    ],
    [{ status: 302, body: '' }, /HTTP status 302/],
    [{ body: '<html>' }, /unexpected format/],
  ])('explains the answer %j', async (answer, message) => {
    await using other = await answering(() => answer)
    const { code, out, err } = await run(['--url', other.origin])
    expect({ code, out }).toEqual({ code: 1, out: '' })
    expect(err).toMatch(message)
    expect(other.requests).toEqual(['/status.json'])
  })
})

test('says that a port has no TLS', async () => {
  await using orders = await serving(sidecar('orders'))
  const { err } = await run(['--url', orders.origin.replace('http', 'https')])
  expect(err).toMatch(/status\.json: has no TLS\. Fix: write http:\/\/$/m)
})

test('asks the broker of a node for the pod of the URL', async () => {
  await using broker = await serving({})
  await run(['--url', `${broker.origin}/?pod=shop/orders-1`])
  expect(broker.requests).toEqual(['/status.json?pod=shop/orders-1'])
})

const result = (metric: Record<string, string>, value: string) => ({ metric, value: [0, value] })
const sample = (pod: string, value: string) =>
  result({ namespace: 'shop', pod, client: 'curl', version: '8.1' }, value)

const isScrapeQuery = (url: URL) =>
  url.searchParams.get('query')?.includes('wimds_build_info') === true
const SCRAPED = { body: { data: { result: [result({}, '2')] } } }

describe('from a Prometheus', () => {
  const orders = {
    namespace: 'shop',
    workload: 'ReplicaSet/orders',
    client: 'curl',
    version: '8.1',
  }

  test('queries the clients and requests of the given time', async () => {
    await using prometheus = await answering((url) => {
      if (isScrapeQuery(url)) return SCRAPED
      const isCount = url.searchParams.get('query')?.includes('increase') === true
      const values = isCount ? ['7.9', '3'] : ['1795521600', '1795525200']
      const series = ['a', 'b'].map((pod, index) =>
        result({ ...orders, pod, instance: pod }, values[index] ?? ''),
      )
      return { body: { status: 'success', data: { resultType: 'vector', result: series } } }
    })
    const url = `${prometheus.origin}/prefix`
    const { code, out } = await run(['--prometheus', url, '--since', '12h', '-o', 'json'])
    expect(code).toBe(0)
    expect(JSON.parse(out)).toMatchObject({
      rows: [
        {
          workload: 'shop/ReplicaSet/orders',
          client: 'curl',
          version: '8.1',
          requests: 11,
          lastSeenAt: '2026-11-24T13:00:00.000Z',
        },
      ],
    })
    expect(prometheus.requests).toHaveLength(3)
    for (const query of prometheus.requests)
      expect(query).toMatch(/^\/prefix\/api\/v1\/query\?query=.*12h/)
  })

  test('exits 1 if the Prometheus has scraped no sidecar', async () => {
    await using prometheus = await serving({ data: { result: [] } })
    const { code, out, err } = await run(['--prometheus', prometheus.origin])
    expect({ code, out }).toEqual({ code: 1, out: '' })
    expect(err).toMatch(
      /^wimds report: \S+: this Prometheus has scraped no sidecar in the last 7d\. Fix: .*podMonitor\.enabled=true/,
    )
  })

  test('prints each foreign text on one line, without control characters', async () => {
    // The pod is the broker of a node, which answers the pods of this ServiceAccount.
    const account = { service_account: 'w\nFAKE', pod: 'agent' }
    const metric = { ...account, client: 'x\u001B[2J', version: '1\u009B' }
    const results = [result(metric, '1800000000')]
    await using prometheus = await answering((url) =>
      isScrapeQuery(url) ? SCRAPED : { body: { data: { result: results } } },
    )
    const { out } = await run(['--prometheus', prometheus.origin])
    expect(out).toMatch(/^w FAKE +x\?\[2J +1\? /m)
    expect(out.replaceAll('\n', '')).not.toMatch(/\p{Cc}/u)
    await using failing = await answering(() => ({ status: 500, body: 'oops\n\u001B]0;t' }))
    const { err } = await run(['--prometheus', failing.origin])
    expect(err).toMatch(/^wimds report: \S+ HTTP status 500: oops \?\]0;t\n$/)
  })

  test('names the fix for a Prometheus, not the fix for a sidecar', async () => {
    const gone = `http://127.0.0.1:${await freePort()}`
    const { code, err } = await run(['--prometheus', gone])
    expect(code).toBe(1)
    expect(err).toMatch(
      /cannot connect \(ECONNREFUSED\)\. Fix: .*kubectl port-forward service\/PROMETHEUS 9090.* --prometheus$/m,
    )
  })

  test('ignores a sample that is no count or no time', async () => {
    await using prometheus = await answering((url) => {
      if (isScrapeQuery(url)) return SCRAPED
      const isTime = url.searchParams.get('query')?.includes('last_seen') === true
      const values = isTime ? ['1e300', '1800000000'] : ['1', 'NaN']
      const samples = values.map((value, index) => sample(`pod-${index}`, value))
      return { body: { data: { result: samples } } }
    })
    const { out } = await run(['--prometheus', prometheus.origin, '-o', 'json'])
    expect(JSON.parse(out)).toMatchObject({ rows: [{ workload: 'shop/pod-1', requests: 0 }] })
  })
})

/** Starts a Prometheus that wants this token, behind a certificate that this process trusts. */
async function securedBy(token: string) {
  using folder = createFolder()
  const received: (string | undefined)[] = []
  const server = createTlsServer(await trust(folder), ({ headers, url = '' }, response) => {
    received.push(headers.authorization)
    const isAllowed = headers.authorization === `Bearer ${token}`
    const body = isScrapeQuery(new URL(url, 'https://x')) ? SCRAPED.body : NO_SAMPLES
    response.writeHead(isAllowed ? 200 : 403)
    response.end(isAllowed ? JSON.stringify(body) : `{"error":"not ${headers.authorization}"}`)
  })
  const { port, [Symbol.asyncDispose]: end } = await listening(server)
  const defaults = getCACertificates('default')
  setDefaultCACertificates([...defaults, readFileSync(folder.file('ca.crt'), 'utf8')])
  return {
    origin: `https://127.0.0.1:${port}`,
    received,
    async [Symbol.asyncDispose]() {
      setDefaultCACertificates(defaults)
      await end()
    },
  }
}
const NO_SAMPLES = { data: { result: [] } }

const runWith = (token: string, ...args: readonly string[]) =>
  runCommand(report, args, { PROMETHEUS_TOKEN: token })

describe('the token of PROMETHEUS_TOKEN', () => {
  const TOKEN = 'a-token-of-azure-monitor'

  test('is sent to a Prometheus with TLS, and to no sidecar', async () => {
    await using prometheus = await securedBy(TOKEN)
    const { code, out, err } = await runWith(`${TOKEN}\n`, '--prometheus', prometheus.origin)
    expect({ code, err }).toEqual({ code: 0, err: '' })
    expect(out).toBe('No requests to 2 sidecars in the last 7d.\n')
    await runWith(TOKEN, '--url', prometheus.origin)
    expect(prometheus.received).toEqual([...Array(3).fill(`Bearer ${TOKEN}`), undefined])
  })

  test('is named, and not printed, if it is missing or refused', async () => {
    await using prometheus = await securedBy(TOKEN)
    for (const token of ['', 'another-token-of-azure']) {
      const { code, out, err } = await runWith(token, '--prometheus', prometheus.origin)
      expect({ code, out }).toEqual({ code: 1, out: '' })
      expect(err).toMatch(
        /HTTP status 403: .*\. Fix: .*PROMETHEUS_TOKEN.*az account get-access-token --resource https:\/\/prometheus\.monitor\.azure\.com /,
      )
      expect(err).not.toContain('another-token')
    }
  })

  test.each([
    ['without TLS', TOKEN, 'http://127.0.0.1:9090', 'is sent over TLS only'],
    ['that no header can have', 'a b', 'https://127.0.0.1:9090', 'must be a token'],
  ])('is not sent %s', async (_, token, origin, message) => {
    const { code, err } = await runWith(token, '--prometheus', origin)
    expect(code).toBe(64)
    expect(err).toContain(`PROMETHEUS_TOKEN ${message}`)
    expect(err).not.toContain(token)
  })
})

test.each([
  ['--url', 'localhost:9169', 'must be a URL such as http://127.0.0.1:9169, '],
  [
    '--prometheus',
    'http://localhost:99999',
    'its port at most 65535, not "http://localhost:99999"',
  ],
  ['--since', '7d]) or (up', '--since must be'],
  ['--since', '7d', '--since needs --prometheus'],
])('rejects %s %s', async (flag, value, message) => {
  const err = expect.stringContaining(message)
  expect(await run([flag, value])).toMatchObject({ code: 64, err })
})
