import { readFile } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { parse, stringify } from 'yaml'
import { requestToken, type Sidecar, startSidecar } from '../../src/tools/demo/sidecar.ts'
import { report } from '../../src/tools/report/report.ts'
import { createSimulator } from '../../src/tools/simulator/simulator.ts'
import { captureIo } from '../tools/capture.ts'
import { RULES } from '../observability/queries.ts'
import { type Prometheus, startPrometheus, until } from './server.ts'
import { hasPrometheus } from './tools.ts'
import { createFolder, type Folder } from '../fixtures/folder.ts'

/** Returns the rules of the examples with short intervals. */
async function fastRules(): Promise<string> {
  const rules = parse(await readFile(RULES, 'utf8'))
  for (const group of rules.groups) {
    group.interval = '1s'
    for (const rule of group.rules) if ('for' in rule) rule.for = '2s'
  }
  return stringify(rules)
}

const scraping = (target: string) =>
  stringify({
    global: { scrape_interval: '1s', scrape_timeout: '1s', evaluation_interval: '1s' },
    rule_files: ['rules.yaml'],
    scrape_configs: [
      {
        job_name: 'wimds',
        static_configs: [{ targets: [target], labels: { namespace: 'shop', pod: 'orders-1' } }],
      },
    ],
  })

/** Starts a Prometheus that scrapes the sidecar, with the rules. */
async function observe(sidecar: Sidecar, directory: Folder) {
  directory.write('rules.yaml', await fastRules())
  const target = new URL(sidecar.adminOrigin).host
  const config = directory.write('prometheus.yaml', scraping(target))
  return startPrometheus(config, directory.path)
}

const untilScraped = ({ query }: Pick<Prometheus, 'query'>) =>
  until('three scrapes', 30_000, async () =>
    ((await query('count_over_time(wimds_ready[1m])')) ?? 0) >= 3 ? true : undefined,
  )

describe.skipIf(!hasPrometheus())('an outage of Entra ID, observed by Prometheus', () => {
  test('fires an alert while applications still get tokens, and resolves it afterwards', async () => {
    await using simulator = await createSimulator()
    await using sidecar = await startSidecar('dist/wimds.js', simulator)
    using directory = createFolder()
    await using prometheus = await observe(sidecar, directory)
    await untilScraped(prometheus)
    expect(await prometheus.firing('WimdsExchangesFailing')).toBeUndefined()

    // The token is soon due for a refresh, so a short outage makes exchanges fail.
    simulator.faults.add({ kind: 'lifetime', expiresInSeconds: 20, times: 1 })
    const requestShortLived = () => requestToken(sidecar, { resource: 'https://storage.azure.com' })
    const requestCached = () => requestToken(sidecar, { resource: 'https://vault.azure.net' })
    expect((await requestShortLived()).status).toBe(200)
    expect((await requestCached()).status).toBe(200)
    simulator.faults.add({ kind: 'unavailable' })
    await until('the expiry of the token that cannot be refreshed', 90_000, () =>
      prometheus.query('max_over_time(wimds_failing_token_expiry_timestamp_seconds[5m])'),
    )
    const alert = await until('the alert fires', 90_000, () =>
      prometheus.firing('WimdsExchangesFailing'),
    )
    expect(alert).toMatchObject({
      labels: { namespace: 'shop', pod: 'orders-1', identity: 'default', severity: 'warning' },
      annotations: { summary: 'Exchanges of shop/orders-1 for identity default fail' },
    })
    expect((await requestCached()).status).toBe(200)
    expect(await prometheus.firing('WimdsRequestsFailing')).toBeUndefined()

    simulator.faults.clear()
    await until('the alert clears', 90_000, async () => {
      await requestShortLived()
      return (await prometheus.firing('WimdsExchangesFailing')) === undefined ? true : undefined
    })

    const io = captureIo()
    expect(await report(['--prometheus', prometheus.origin, '-o', 'json'], io)).toBe(0)
    expect(JSON.parse(io.out())).toMatchObject({
      rows: [{ workload: 'shop/orders-1', client: 'node-http', requests: expect.any(Number) }],
    })
  }, 240_000)
})
