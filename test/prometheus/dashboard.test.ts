import { once } from 'node:events'
import { request } from 'node:https'
import { text } from 'node:stream/consumers'
import { describe, expect, onTestFinished, test } from 'vitest'
import { stringify } from 'yaml'
import { requestToken, type Sidecar, startSidecar } from '../../src/tools/demo/sidecar.ts'
import { webhook } from '../../src/injection/webhook/webhook.ts'
import { createNodeAgentMetrics, registerNodeState } from '../../src/node/agent/agent-metrics.ts'
import { createNodeScrape } from '../../src/node/agent/broker-metrics.ts'
import type { BrokerList } from '../../src/node/agent/namespace-broker.ts'
import { routedPod } from '../node/agent/pods.ts'
import { BILLING } from '../../src/tools/simulator/defaults.ts'
import { createSimulator } from '../../src/tools/simulator/simulator.ts'
import { captureIo } from '../tools/capture.ts'
import { ask, createCluster } from '../node/broker/setup.ts'
import { createFolder } from '../fixtures/folder.ts'
import { openAdminPort } from '../fixtures/admin.ts'
import { startApiServer } from '../fixtures/api-server.ts'
import { dashboardPanels, dashboardQueries, variableQueries } from '../observability/queries.ts'
import { freePort } from '../support/free-port.ts'
import { startPrometheus, until } from './server.ts'
import { hasPrometheus, promtool } from './tools.ts'
import { podReview } from '../fixtures/pod-review.ts'

/** Sends a request that succeeds, one that Entra ID rejects, a mistake and a probe. */
async function callSidecar(sidecar: Sidecar): Promise<void> {
  const resource = 'https://vault.azure.net'
  expect((await requestToken(sidecar, { resource })).status).toBe(200)
  const rejected = await requestToken(sidecar, { resource, client_id: BILLING.clientId })
  expect(rejected.status).toBeGreaterThanOrEqual(400)
  expect((await requestToken(sidecar, { resource, client_id: 'orders' })).status).toBe(400)
  expect((await fetch(sidecar.tokenUrl)).status).toBe(400)
}

/** Starts the webhook until the end of the test, and returns its ports. */
async function startWebhook(): Promise<{ port: number; adminPort: number }> {
  const shutdown = new AbortController()
  const io = { ...captureIo(), signal: shutdown.signal }
  const adminPort = await freePort()
  const listen = ['--listen=127.0.0.1:0', `--admin-listen=127.0.0.1:${adminPort}`]
  const ended = webhook([...listen, '--drain=0s', '--image-registry=r.example'], io)
  onTestFinished(async () => {
    shutdown.abort()
    await ended
  })
  await until('the webhook has a certificate', 60_000, () =>
    Promise.resolve(io.out().includes('"certificate_loaded"') ? true : undefined),
  )
  return { port: Number(/"listening".*"port":(\d+)/.exec(io.out())?.[1]), adminPort }
}

/** Starts the admin server of a node agent with this broker. */
async function startNodeAgent(broker: ReturnType<BrokerList['all']>[number]) {
  const brokers = { all: () => [broker] }
  const metrics = createNodeAgentMetrics(new Map())
  registerNodeState(metrics.registry, {
    counts: () => ({ routed: 3, pending: 1 }),
    longestPendingMs: () => 40_000,
  })
  metrics.onSync(true)
  const scrape = createNodeScrape(metrics.registry, brokers)
  const server = await openAdminPort({ scrape, readiness: () => ({ ready: true }) })
  return { ...server, metrics }
}

/** Has the webhook review a pod. */
async function reviewPod(port: number): Promise<void> {
  const pod = { metadata: {}, spec: { containers: [{ name: 'app', image: 'app:1' }] } }
  const review = podReview(pod, { namespace: 'n' })
  const options = { host: '127.0.0.1', port, path: '/mutate', method: 'POST' }
  const sent = request({ ...options, rejectUnauthorized: false }).end(JSON.stringify(review))
  const [reply] = await once(sent, 'response')
  expect(JSON.parse(await text(reply))).toMatchObject({
    response: { allowed: expect.any(Boolean) },
  })
}

interface Ports {
  readonly webhook: number
  readonly agent: number
}

const scraping = (sidecar: Sidecar, ports: Ports) =>
  stringify({
    global: { scrape_interval: '1s', scrape_timeout: '1s' },
    scrape_configs: [
      {
        job_name: 'wimds',
        honor_labels: true,
        static_configs: [
          {
            targets: [new URL(sidecar.adminOrigin).host],
            labels: {
              cluster: 'west',
              namespace: 'shop',
              pod: 'orders-1',
              container: 'wimds',
              workload: 'Deployment/orders',
            },
          },
          {
            targets: [`127.0.0.1:${ports.webhook}`],
            labels: { cluster: 'west', namespace: 'wimds', pod: 'wimds-1', container: 'webhook' },
          },
          {
            targets: [`127.0.0.1:${ports.agent}`],
            labels: {
              cluster: 'west',
              namespace: 'wimds-node-agent',
              pod: 'agent-1',
              container: 'wimds-node-agent',
              node: 'node-1',
            },
          },
        ],
      },
    ],
  })

describe.skipIf(!hasPrometheus())('the dashboard in Prometheus', () => {
  test('has a value in every panel and variable, without the recording rules, from metrics that promtool accepts', async () => {
    await using simulator = await createSimulator()
    await using sidecar = await startSidecar('dist/wimds.js', simulator)
    await using _ = await startApiServer()
    const { port, adminPort } = await startWebhook()
    await using cluster = await createCluster()
    await using broker = cluster.start()
    const pod = cluster.podOf('orders')
    const servedPort = await broker.serve(pod)
    const { uid, namespace, serviceAccount } = pod
    const pods = [{ ...routedPod({ uid, name: pod.name }), namespace, serviceAccount }]
    await using agent = await startNodeAgent({ pods, ask: (about) => broker.ask(about) })
    using directory = createFolder()
    const config = directory.write(
      'prometheus.yaml',
      scraping(sidecar, { webhook: adminPort, agent: agent.port }),
    )
    await using prometheus = await startPrometheus(config, directory.path)

    const queries = await dashboardQueries('20s')
    const panels = await dashboardPanels()
    expect(queries.length).toBeGreaterThanOrEqual(panels.length)
    let empty = queries
    // Rates need requests between two scrapes.
    await until(
      () => `a value of ${empty.join('\n')}`,
      60_000,
      async () => {
        await callSidecar(sidecar)
        await reviewPod(port)
        await ask(servedPort)
        agent.metrics.onRouted(300)
        agent.metrics.onFailure('tool_failed')
        const answers = await Promise.all(
          queries.map(async (query) => ({ query, values: await prometheus.values(query) })),
        )
        empty = answers.flatMap(({ query, values }) => (values.some(Number.isFinite) ? [] : query))
        return empty.length === 0 ? true : undefined
      },
    )

    for (const target of [
      sidecar.adminOrigin,
      `http://127.0.0.1:${adminPort}`,
      `http://127.0.0.1:${agent.port}`,
    ]) {
      const answer = await fetch(`${target}/metrics`)
      expect(answer.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8')
      const linted = await promtool(['check', 'metrics'], await answer.text())
      expect(linted).toEqual({ isOk: true, output: '' })
    }

    const variables = await variableQueries()
    expect(
      Object.fromEntries(
        await Promise.all(
          variables.map(async ({ name, label, selector }) => [
            name,
            await prometheus.labelValues(label, selector),
          ]),
        ),
      ),
    ).toEqual({
      cluster: ['west'],
      namespace: ['shop'],
      pod: ['agent-1', 'orders-1'],
      system: ['wimds', 'wimds-node-agent'],
    })
  })
})
