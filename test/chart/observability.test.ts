/** What the chart renders for Prometheus and Grafana, and how the node agent can be probed and scraped. */
import { readFile } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { parse, parseAllDocuments, stringify } from 'yaml'
import { z } from 'zod'
import { DASHBOARD, EXAMPLES, RULES, Rules } from '../observability/queries.ts'
import { hasPrometheus, promtool } from '../prometheus/tools.ts'
import { CHART, HELMS, RELEASE } from './helm.ts'
import { createFolder } from '../fixtures/folder.ts'

const Objects = z.array(
  z.looseObject({ kind: z.string(), metadata: z.looseObject({ name: z.string() }) }),
)
const Container = z.object({
  name: z.string(),
  ports: z.array(z.object({ name: z.string(), containerPort: z.int() })).optional(),
  startupProbe: z.looseObject({}),
  livenessProbe: z.looseObject({}),
})
const DaemonSet = z.object({
  spec: z.object({
    template: z.object({ spec: z.object({ containers: z.tuple([Container]) }) }),
  }),
})

const AGENT = 'nodeAgent.enabled=true'
const REACHABLE = 'nodeAgent.adminListen=[::]:9441'
const SCRAPER = '--set-json=nodeAgent.scrapers=[{"podSelector":{}}]'
const NODE_AGENT_RULES = 'wimds-node-agent-alerts'

const ALL_MONITORS = ['podMonitor.enabled=true', AGENT, SCRAPER]
const WithSelector = z.object({ spec: z.object({ selector: z.unknown() }) })

const Endpoint = z.looseObject({ relabelings: z.array(z.unknown()).optional() })
const Monitor = z.object({ spec: z.object({ podMetricsEndpoints: z.tuple([Endpoint]) }) })
const endpointOf = (monitor: unknown) => Monitor.parse(monitor).spec.podMetricsEndpoints[0]

describe.each(HELMS)('Helm $version', ({ run }) => {
  /** Returns the objects of a kind with these values. */
  async function render(kind: string, ...values: readonly string[]) {
    const flags = values.flatMap((value) => (value.startsWith('--') ? [value] : ['--set', value]))
    const output = await run('template', RELEASE, CHART, '--kube-version=1.34.0', ...flags)
    const documents = parseAllDocuments(output).map((document): unknown => {
      expect(document.errors).toEqual([])
      return document.toJS()
    })
    return Objects.parse(documents).filter((object) => object.kind === kind)
  }

  const agentContainer = async (...values: readonly string[]) => {
    const [daemonSet] = await render('DaemonSet', AGENT, ...values)
    return DaemonSet.parse(daemonSet).spec.template.spec.containers[0]
  }

  /** Returns the alerts and recording rules with these values of `prometheusRule`, those of the node agent included. */
  async function renderRules(values: object) {
    const settings = `--set-json=prometheusRule=${JSON.stringify({ ...values, enabled: true })}`
    const [object] = await render('PrometheusRule', AGENT, settings)
    return Rules.parse(object?.['spec']).groups.flatMap(({ rules }) => rules)
  }

  describe('podMonitor', () => {
    test('scrapes the sidecars as the example does', async () => {
      const [, sidecars] = await render('PodMonitor', 'podMonitor.enabled=true')
      const example = parse(await readFile(`${EXAMPLES}/podmonitor.yaml`, 'utf8'))
      expect(sidecars?.metadata.name).toBe('wimds-sidecars')
      expect(sidecars?.['spec']).toEqual(example.spec)
    })

    test.each([
      [['podMonitor.sidecars=false'], ['wimds']],
      [
        [AGENT, SCRAPER],
        ['wimds', 'wimds-sidecars', 'wimds-node-agent'],
      ],
      [
        [AGENT, 'nodeAgent.adminListen=127.0.0.1:9441'],
        ['wimds', 'wimds-sidecars'],
      ],
    ])('with %j scrapes %j', async (values, expected) => {
      const monitors = await render('PodMonitor', 'podMonitor.enabled=true', ...values)
      expect(monitors.map(({ metadata }) => metadata.name)).toEqual(expected)
    })

    test('scrapes the port of the node agent, and labels it by its node', async () => {
      const [webhook, , agent] = await render('PodMonitor', ...ALL_MONITORS)
      const { ports } = await agentContainer('podMonitor.enabled=true', SCRAPER)
      expect(ports).toEqual([{ name: 'admin', containerPort: 9441 }])
      const relabelings = [
        { sourceLabels: ['__meta_kubernetes_pod_node_name'], targetLabel: 'node' },
      ]
      const [daemonSet] = await render('DaemonSet', AGENT)
      const { selector } = WithSelector.parse(daemonSet).spec
      expect(agent?.['spec']).toMatchObject({
        sampleLimit: 34_000,
        namespaceSelector: { matchNames: ['wimds-node-agent'] },
        podMetricsEndpoints: [{ port: 'admin', honorLabels: true, relabelings }],
        selector,
      })
      expect(webhook?.['spec']).not.toMatchObject({ selector })
    })

    test('has the group and the limits of Azure Monitor’s managed Prometheus if the values say so', async () => {
      const apiVersion = 'azmonitoring.coreos.com/v1'
      const group = `podMonitor.apiVersion=${apiVersion}`
      const spec = { labelLimit: 63, labelNameLengthLimit: 511, labelValueLengthLimit: 1023 }
      const monitors = await render('PodMonitor', ...ALL_MONITORS, group)
      expect(monitors).toHaveLength(3)
      for (const monitor of monitors) expect(monitor).toMatchObject({ apiVersion, spec })
    })

    test('adds relabelings to each after its own and the labels', async () => {
      const cluster = { targetLabel: 'cluster', replacement: 'west' }
      const drop = { sourceLabels: ['__name__'], regex: 'nodejs_.+', action: 'drop' }
      const more = {
        enabled: true,
        labels: { release: 'prometheus' },

        relabelings: [cluster],
        metricRelabelings: [drop],
      }
      const flag = `--set-json=podMonitor=${JSON.stringify(more)}`
      const monitors = await render('PodMonitor', flag, AGENT, SCRAPER)
      const before = await render('PodMonitor', ...ALL_MONITORS)
      expect(before).toHaveLength(3)
      for (const { metadata } of monitors) expect(metadata).toMatchObject({ labels: more.labels })
      expect(monitors.map(endpointOf)).toEqual(
        before.map(endpointOf).map(({ relabelings = [], ...rest }) => ({
          ...rest,

          relabelings: [...relabelings, cluster],
          metricRelabelings: [drop],
        })),
      )
    })
  })

  describe('the NetworkPolicy of the node agents', () => {
    const WithPolicy = z.object({ metadata: z.looseObject({}), spec: z.looseObject({}) })
    const policyOf = async (...values: readonly string[]) => {
      const policies = await render('NetworkPolicy', AGENT, ...values)
      const found = policies.find(({ metadata }) => metadata.name === 'wimds-node-agent')
      return found && WithPolicy.parse(found)
    }

    test('admits nobody while they listen on loopback', async () => {
      const { spec, metadata } = (await policyOf()) ?? {}
      expect(metadata).toMatchObject({ namespace: 'wimds-node-agent' })
      expect(spec).toMatchObject({ policyTypes: ['Ingress'] })
      expect(spec).not.toHaveProperty('ingress')
    })

    test('admits the peers that the values name, and there must be some if Prometheus scrapes', async () => {
      const ports = [{ port: 'admin' }]
      const peer = { ipBlock: { cidr: '10.0.0.0/8' } }
      const flag = `--set-json=nodeAgent.scrapers=${JSON.stringify([peer])}`
      for (const reachable of [REACHABLE, 'podMonitor.enabled=true']) {
        const named = await policyOf(reachable, flag)
        expect(named?.spec['ingress']).toEqual([{ ports, from: [peer] }])
      }
      expect((await policyOf(REACHABLE))?.spec).not.toHaveProperty('ingress')
      await expect(policyOf('podMonitor.enabled=true')).rejects.toThrow(
        /nodeAgent\.scrapers names nobody.*Fix: set it to the namespace of Prometheus/,
      )
    })

    test('is left out with the others', async () => {
      expect(await policyOf('networkPolicy.enabled=false')).toBeUndefined()
    })
  })

  describe('prometheusRule', () => {
    test('has the rules of its file, with the node agent’s where there is one', async () => {
      const { groups } = Rules.parse(parse(await readFile(RULES, 'utf8')))
      const withAgent = await render('PrometheusRule', 'prometheusRule.enabled=true', AGENT)
      expect(withAgent).toMatchObject([{ metadata: { name: 'wimds' } }])
      expect(withAgent[0]?.['spec']).toEqual({ groups })
      const [without] = await render('PrometheusRule', 'prometheusRule.enabled=true')
      expect(groups.some(({ name }) => name === NODE_AGENT_RULES)).toBe(true)
      expect(without?.['spec']).toEqual({
        groups: groups.filter(({ name }) => name !== NODE_AGENT_RULES),
      })
    })

    test('adds labels and annotations to every alert, and to no recording rule', async () => {
      const rules = await renderRules({
        additionalRuleLabels: { team: 'platform' },
        additionalRuleAnnotations: { dashboard: 'https://grafana.test' },
      })
      const alerts = rules.filter(({ alert }) => alert !== undefined)
      expect(alerts.length).toBeGreaterThan(20)
      for (const { labels, annotations } of alerts) {
        expect(labels).toMatchObject({ team: 'platform', severity: expect.any(String) })
        expect(annotations).toMatchObject({
          dashboard: 'https://grafana.test',
          runbook_url: expect.any(String),
        })
      }
      const recordings = rules.filter(({ record }) => record !== undefined)
      expect(recordings.length).toBeGreaterThan(5)
      expect(recordings.filter(({ labels }) => labels !== undefined)).toEqual([])
    })

    test('lets every runbook_url lead to other pages, with the name of the alert', async () => {
      const rules = await renderRules({
        runbookUrl: 'https://wiki.test/wimds',
        additionalRuleAnnotations: { runbook_url: 'https://wiki.test' },
      })
      const alerts = rules.filter(({ alert }) => alert !== undefined)
      expect(alerts.map(({ annotations }) => annotations?.['runbook_url'])).toEqual(
        alerts.map(({ alert = '' }) => `https://wiki.test/wimds#${alert.toLowerCase()}`),
      )
    })

    test('leaves out the alerts that are disabled, and no other', async () => {
      const disabled = { WimdsEntraSlow: true, WimdsNodeAgentSlow: true, WimdsDown: false }
      const names = (await renderRules({ disabled })).map(({ alert, record }) => alert ?? record)
      const all = (await renderRules({})).map(({ alert, record }) => alert ?? record)
      expect(names).toEqual(
        all.filter((name) => name !== 'WimdsEntraSlow' && name !== 'WimdsNodeAgentSlow'),
      )
      expect(names).toContain('WimdsDown')
    })

    test('changes the given members of one alert, and nothing else', async () => {
      const WimdsNotReady = { for: '1h30m', keepFiringFor: '10m', severity: 'page' }
      const additionalRuleLabels = { severity: 'info' }
      const before = await renderRules({ additionalRuleLabels })
      const after = await renderRules({ additionalRuleLabels, alerts: { WimdsNotReady } })
      expect(after).toEqual(
        before.map((rule) =>
          rule.alert === 'WimdsNotReady'
            ? { ...rule, for: '1h30m', keep_firing_for: '10m', labels: { severity: 'page' } }
            : rule,
        ),
      )
    })

    // The comparisons that a threshold replaces: what an alert is about, and not the least rate at which it is.
    const THRESHOLDS = {
      WimdsFleetExchangesFailing: ':ratio > 0.2',
      WimdsFleetNotReady: ':ratio > 0.2',
      WimdsFleetDown: ':ratio > 0.2',
      WimdsExchangesFailing: '(wimds_exchange_consecutive_failures) >= 3',
      WimdsTokenExpiring: 'time() < 900',
      WimdsLastTokenExpiring: 'time() < 900',
      WimdsRequestsFailing: 'error_ratio5m > 0.05',
      WimdsNamespaceRequestsFailing: 'error_ratio4h > 0.1',
      WimdsRequestsRejected: 'rejected_ratio5m > 0.5',
      WimdsClockSkew: '> 120',
      WimdsEntraSlow: 'p90_5m > 3',
      WimdsEventLoopBlocked: '> 0.2',
      WimdsRestarting: '> 2',
      WimdsWebhookFailing: '(rate(wimds_webhook_review_duration_seconds_count[5m])) > 0.05',
      WimdsWebhookUnreachable: ') >= 1',
      WimdsWebhookRejectingPods: '> 3',
      WimdsWebhookCertificateExpiring: 'time() < 604800',
      WimdsNodeAgentNotRouting: '> 300',
      WimdsNodeBrokerRestarting: '> 2',
      WimdsNodeAgentSlow: '> 5',
    }

    test('replaces the threshold of every alert that has one', async () => {
      const thresholds = Object.keys(THRESHOLDS).map((name) => [name, { threshold: 1234567 }])
      const before = await renderRules({})
      const after = await renderRules({ alerts: Object.fromEntries(thresholds) })
      expect(after).toEqual(
        before.map((rule) => {
          const comparison = new Map(Object.entries(THRESHOLDS)).get(rule.alert ?? '')
          if (comparison === undefined) return rule
          expect(rule.expr).toContain(comparison)
          const replaced = comparison.replace(/[\d.]+$/, '1234567')
          return { ...rule, expr: rule.expr.replace(comparison, replaced) }
        }),
      )
    })

    test('takes a threshold of 0', async () => {
      const rules = await renderRules({ alerts: { WimdsRestarting: { threshold: 0 } } })
      expect(rules.find(({ alert }) => alert === 'WimdsRestarting')?.expr).toMatch(/ > 0$/)
    })

    const UNKNOWN = "additional properties 'WimdsEntraSow' not allowed"
    test.each([
      [{ disabled: { WimdsEntraSow: true } }, `'/prometheusRule/disabled': ${UNKNOWN}`],
      [
        { alerts: { WimdsDown: { threshold: 1 } } },
        "additional properties 'threshold' not allowed",
      ],
    ])('rejects %j', async (values, message) => {
      await expect(renderRules(values)).rejects.toThrow(message)
    })

    test.skipIf(!hasPrometheus())('has rules that Prometheus accepts', async () => {
      const alerts = Object.keys(THRESHOLDS).map((name) => [
        name,
        { threshold: 0.5, for: '7m', keepFiringFor: '1h', severity: 'page' },
      ])
      const rules = await renderRules({ alerts: Object.fromEntries(alerts) })
      using directory = createFolder()
      const groups = [{ name: 'rendered', rules }]
      const file = directory.write('rules.yaml', stringify({ groups }))
      const { isOk, output } = await promtool(['check', 'rules', file])
      expect(output).toContain(`${rules.length} rules found`)
      expect(isOk).toBe(true)
    })

    test('has the labels that are given', async () => {
      const labels = 'prometheusRule.labels.release=prometheus'
      expect(await render('PrometheusRule', 'prometheusRule.enabled=true', labels)).toMatchObject([
        { metadata: { labels: { release: 'prometheus', 'app.kubernetes.io/name': 'wimds' } } },
      ])
    })
  })

  describe('dashboard', () => {
    test('has the dashboard of its file, and the label by which Grafana’s sidecar finds it', async () => {
      const [configMap] = await render('ConfigMap', 'dashboard.enabled=true')
      const labels = { grafana_dashboard: '1' }
      expect(configMap?.metadata).toMatchObject({ name: 'wimds-dashboard', labels })
      const { data } = z.object({ data: z.record(z.string(), z.string()) }).parse(configMap)
      const file = await readFile(DASHBOARD, 'utf8')
      expect(Object.keys(data)).toEqual(['wimds.json'])
      expect(data['wimds.json']?.trim()).toBe(file.trim())
    })

    test('is in the namespace and has the annotations that are given', async () => {
      const annotation = 'dashboard.annotations.grafana_folder=wimds'
      const values = ['dashboard.enabled=true', 'dashboard.namespace=monitoring', annotation]
      const metadata = { namespace: 'monitoring', annotations: { grafana_folder: 'wimds' } }
      expect(await render('ConfigMap', ...values)).toMatchObject([{ metadata }])
    })
  })

  describe('the probes of the node agent', () => {
    test.each(['localhost:9441', '[::1]:9441', '127.0.0.2:9441'])(
      'treat %s as loopback',
      async (address) => {
        const { livenessProbe } = await agentContainer(`nodeAgent.adminListen=${address}`)
        expect(livenessProbe).toHaveProperty('exec')
      },
    )

    test('call /healthz, which does not depend on the API server, where they can', async () => {
      const { startupProbe, livenessProbe } = await agentContainer(REACHABLE)
      const httpGet = { path: '/healthz', port: 'admin' }
      expect(startupProbe).toMatchObject({ httpGet })
      expect(livenessProbe).toMatchObject({ httpGet })
    })
  })
})
