import { expect, test } from 'vitest'
import { BrokerError } from '../../../src/lib/errors.ts'
import { createRegistry } from '../../../src/service/prometheus.ts'
import { createReplies, registerReplies } from '../../../src/broker/telemetry/replies.ts'
import { observe, reply } from './observed.ts'

const python = { 'user-agent': 'azsdk-python-identity/1.5.0 Python/3.9.2' }

function setUp(now = () => 0, onRejected = (_key: string) => {}) {
  const { log } = observe()
  return createReplies({
    metrics: registerReplies([createRegistry()]),
    log,
    auditsTokens: false,
    now,
    onRejected,
  })
}

test.each([
  ['MSAL.Python', '1.39.0', 'python-requests/2.32', 'python-msal 1.39.0'],
  ['MSAL.NetCore', '4.70.0.0', 'x'.repeat(600), 'dotnet-msal 4.70.0.0'],
  ['MSAL.Python', '1.39.0', 'azsdk-python-identity/1.27.0', 'python-azure-identity 1.27.0'],
  ['', '1.0', 'curl/8.0.1', 'curl 8.0.1'],
])('x-client-SKU %s %s with User-Agent %j is %s', (sku, skuVersion, agent, client) => {
  const { onReply, clients } = setUp()
  const headers = { 'user-agent': agent, 'x-client-sku': sku, 'x-client-ver': skuVersion }
  onReply(reply({ headers }))
  expect(clients().map(({ library, version }) => `${library} ${version}`)).toEqual([client])
})

test('counts each client but no probe, with the time of its last request', () => {
  let time = 1000
  const { onReply, clients } = setUp(() => time)
  onReply(reply({ headers: python }))
  time = 2000
  onReply(reply({ headers: { 'user-agent': 'curl/8.0.1' } }))
  time = 3000
  onReply(reply({ headers: python }))
  onReply(reply({ protocol: 'none', headers: { 'user-agent': 'kube-probe/1.37' } }))
  expect(clients()).toMatchObject([
    { library: 'python-azure-identity', requests: 2, lastSeenAt: 3000 },
    { library: 'curl', version: '8.0.1', requests: 1, lastSeenAt: 2000 },
  ])
})

test('reports the same error of two client libraries apart', () => {
  const keys = new Set<string>()
  const { onReply } = setUp(undefined, (key) => keys.add(key))
  const error = new BrokerError('api_version_invalid', 'no such version')
  for (const headers of [python, python, { 'user-agent': 'curl/8.0.1' }]) {
    onReply(reply({ status: 400, error, headers }))
  }
  expect(keys.size).toBe(2)
})
