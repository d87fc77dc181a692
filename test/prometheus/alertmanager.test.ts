import { readFile } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { z } from 'zod'
import { EXAMPLES, rules } from '../observability/queries.ts'
import { startServer } from './server.ts'
import { amtool, hasAlertmanager } from './tools.ts'
import { createFolder } from '../fixtures/folder.ts'

const CONFIG = `${EXAMPLES}/alertmanager.yaml`

const Alerts = z.array(
  z.object({
    labels: z.record(z.string(), z.string()),
    status: z.object({ inhibitedBy: z.array(z.string()) }),
  }),
)

interface Labels extends Readonly<Record<string, string>> {
  readonly alertname: string
}

/** Starts Alertmanager with the example's configuration. */
async function startAlertmanager(directory: string) {
  const { origin, ...server } = await startServer('/usr/bin/prometheus-alertmanager', [
    `--config.file=${CONFIG}`,
    `--storage.path=${directory}`,
    '--cluster.listen-address=',
    '--log.level=error',
  ])
  return {
    fire: async (alerts: readonly Labels[]) => {
      const answer = await fetch(`${origin}/api/v2/alerts`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(alerts.map((labels) => ({ labels }))),
      })
      expect(answer.status).toBe(200)
    },
    alerts: async () => Alerts.parse(await (await fetch(`${origin}/api/v2/alerts`)).json()),
    ...server,
  }
}

describe('examples/observability/alertmanager.yaml', () => {
  test('names alerts that exist', async () => {
    const { inhibit_rules: inhibitions } = parse(await readFile(CONFIG, 'utf8'))
    const names = [...JSON.stringify(inhibitions).matchAll(/Wimds\w+/g)].map(([name]) => name)
    const alerts = new Set((await rules()).flatMap(({ alert }) => alert ?? []))
    expect(names.length).toBeGreaterThan(10)
    expect(names.filter((name) => !alerts.has(name))).toEqual([])
  })
})

describe.skipIf(!hasAlertmanager())('Alertmanager', () => {
  test('accepts the configuration', async () => {
    expect(await amtool('check-config', CONFIG)).toMatchObject({ isOk: true })
  })

  test.each([
    ['no-page', { alertname: 'WimdsRequestsFailing', severity: 'critical', namespace: 'dev-shop' }],
    [
      'no-page',
      { alertname: 'WimdsNotReady', severity: 'critical', namespace: 'dev', cluster: 'a' },
    ],
    ['no-page', { alertname: 'WimdsFleetDown', severity: 'critical', cluster: 'dev-west' }],
    ['pager', { alertname: 'WimdsRequestsFailing', severity: 'critical', namespace: 'devices' }],
    ['pager', { alertname: 'WimdsFleetExchangesFailing', severity: 'critical', cluster: 'west' }],
    ['pager', { alertname: 'WimdsFleetNotReady', severity: 'critical' }],
    ['chat', { alertname: 'WimdsClockSkew', severity: 'warning', namespace: 'shop' }],
    ['default', { alertname: 'WimdsEntraSlow', severity: 'info', namespace: 'shop' }],
    ['default', { alertname: 'Watchdog', severity: 'critical', namespace: 'dev' }],
  ])('sends to %s: %o', async (receiver, labels) => {
    const args = Object.entries(labels).map(([name, value]) => `${name}=${value}`)
    const { output } = await amtool('config', 'routes', 'test', `--config.file=${CONFIG}`, ...args)
    // In amtool's output a warning about its own flag follows the receiver.
    expect(output.split('\n')[0]).toBe(receiver)
  })

  test('inhibits the alerts of pods by the alert of their fleet, and of no other cluster', async () => {
    using directory = createFolder()
    await using alertmanager = await startAlertmanager(directory.path)
    const pod = { namespace: 'shop', pod: 'orders-1', identity: 'orders' }
    const inhibited: Labels[] = [
      { alertname: 'WimdsExchangesFailing', cluster: 'west', ...pod },
      { alertname: 'WimdsLastTokenExpiring', cluster: 'west', ...pod },
      { alertname: 'WimdsRequestsFailing', cluster: 'west', ...pod },
      { alertname: 'WimdsNoToken', cluster: 'west', ...pod },
      { alertname: 'WimdsNamespaceRequestsFailing', cluster: 'west', namespace: 'batch' },
      { alertname: 'WimdsNamespaceRequestsFailing', cluster: 'east', namespace: 'shop' },
      { alertname: 'WimdsDown', cluster: 'west', namespace: 'shop', pod: 'orders-1' },
      { alertname: 'WimdsRestarting', cluster: 'west', namespace: 'shop', pod: 'orders-2' },
      // In a cluster without a fleet alert, the more urgent alert of a pod inhibits the others.
      { alertname: 'WimdsTokenExpiring', cluster: 'east', ...pod },
      { alertname: 'WimdsNoToken', cluster: 'east', ...pod, pod: 'orders-4' },
      { alertname: 'WimdsExchangesFailing', cluster: 'east', ...pod, pod: 'orders-3' },
      { alertname: 'WimdsWebhookReplicaDown', cluster: 'east', namespace: 'wimds' },
      // An alert without the label `cluster` also has a fleet alert.
      { alertname: 'WimdsNotReady', namespace: 'shop', pod: 'orders-1' },
    ]
    const active: Labels[] = [
      { alertname: 'WimdsFleetExchangesFailing', cluster: 'west' },
      { alertname: 'WimdsFleetNotReady' },
      { alertname: 'WimdsFleetDown', cluster: 'west' },
      { alertname: 'WimdsDown', cluster: 'east', namespace: 'shop', pod: 'orders-1' },
      { alertname: 'WimdsClockSkew', cluster: 'west', namespace: 'shop', pod: 'orders-1' },
      { alertname: 'WimdsLastTokenExpiring', cluster: 'east', ...pod },
      { alertname: 'WimdsExchangesFailing', cluster: 'east', ...pod, pod: 'orders-2' },
      { alertname: 'WimdsNoToken', cluster: 'east', ...pod, pod: 'orders-3' },
      { alertname: 'WimdsRequestsFailing', cluster: 'east', namespace: 'shop', pod: 'orders-4' },
      { alertname: 'WimdsNamespaceRequestsFailing', cluster: 'east', namespace: 'batch' },
      { alertname: 'WimdsWebhookDown', cluster: 'east', namespace: 'wimds' },
      { alertname: 'WimdsWebhookReplicaDown', cluster: 'west', namespace: 'wimds' },
    ]
    await alertmanager.fire([...inhibited, ...active])
    const labelsOf = async (isInhibited: boolean) =>
      (await alertmanager.alerts())
        .filter(({ status }) => status.inhibitedBy.length > 0 === isInhibited)
        .map(({ labels }) => labels)
    // Alertmanager evaluates the rules only when it groups the alerts.
    await expect.poll(() => labelsOf(true)).toHaveLength(inhibited.length)
    expect(new Set(await labelsOf(true))).toEqual(new Set(inhibited))
    expect(new Set(await labelsOf(false))).toEqual(new Set(active))
  })
})
