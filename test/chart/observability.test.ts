/** What the chart renders for Prometheus and Grafana, and how the node agent can be probed and scraped. */
import { readFile } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { parse, parseAllDocuments, stringify } from 'yaml'
import { z } from 'zod'
import { EXAMPLES } from '../observability/queries.ts'
import { hasPrometheus, promtool, scratch } from '../prometheus/tools.ts'
import { CHART, HELMS, RELEASE } from './helm.ts'

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
const Labels = z.record(z.string(), z.string())
const Rule = z.looseObject({
  alert: z.string().optional(),
  record: z.string().optional(),
  expr: z.string(),
  labels: Labels.optional(),
  annotations: Labels.optional(),
})
const Rules = z.object({
  groups: z.array(z.looseObject({ name: z.string(), rules: z.array(Rule) })),
})

const AGENT = 'nodeAgent.enabled=true'
const REACHABLE = 'nodeAgent.adminListen=[::]:9441'
const NODE_AGENT_RULES = 'wimds-node-agent-alerts'

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

    test('leaves the sidecars out if the values say so', async () => {
      const values = ['podMonitor.enabled=true', 'podMonitor.sidecars=false']
      const monitors = await render('PodMonitor', ...values)
      expect(monitors.map(({ metadata }) => metadata.name)).toEqual(['wimds'])
    })

    test('scrapes the port of the node agent, and labels it by its node', async () => {
      const values = ['podMonitor.enabled=true', AGENT, REACHABLE]
      const [webhook, , agent] = await render('PodMonitor', ...values)
      const { ports = [] } = await agentContainer(REACHABLE)
      expect(ports).toEqual([{ name: 'admin', containerPort: 9441 }])
      expect(agent).toMatchObject({
        metadata: { name: 'wimds-node-agent' },
        spec: {
          namespaceSelector: { matchNames: ['wimds-node-agent'] },
          podMetricsEndpoints: [
            {
              port: 'admin',
              relabelings: [
                { sourceLabels: ['__meta_kubernetes_pod_node_name'], targetLabel: 'node' },
              ],
            },
          ],
        },
      })
      const [daemonSet] = await render('DaemonSet', AGENT)
      const { spec } = z
        .object({ spec: z.object({ selector: z.object({ matchLabels: z.unknown() }) }) })
        .parse(daemonSet)
      expect(agent?.['spec']).toHaveProperty('selector.matchLabels', spec.selector.matchLabels)
      expect(webhook?.['spec']).not.toHaveProperty(
        'selector.matchLabels',
        spec.selector.matchLabels,
      )
    })

    test('scrapes the port of the broker too, if it listens there', async () => {
      const broker = 'nodeAgent.brokerAdminListen=[::]:9442'
      const values = ['podMonitor.enabled=true', AGENT, broker]
      const portsOf = async (...more: readonly string[]) => {
        const [, , agent] = await render('PodMonitor', ...values, ...more)
        return agent?.['spec']
      }
      expect(await portsOf()).toMatchObject({
        podMetricsEndpoints: [{ port: 'broker-admin', honorLabels: true }],
      })
      expect(await portsOf(REACHABLE)).toMatchObject({
        podMetricsEndpoints: [{ port: 'admin' }, { port: 'broker-admin' }],
      })
      const { ports = [] } = await agentContainer(REACHABLE, broker)
      expect(ports.at(-1)).toEqual({ name: 'broker-admin', containerPort: 9442 })
    })

    test('has none for a node agent that listens on loopback alone', async () => {
      const monitors = await render('PodMonitor', 'podMonitor.enabled=true', AGENT)
      expect(monitors.map(({ metadata }) => metadata.name)).toEqual(['wimds', 'wimds-sidecars'])
    })

    test('has the group and the limits of Azure Monitor’s managed Prometheus if the values say so', async () => {
      const group = 'podMonitor.apiVersion=azmonitoring.coreos.com/v1'
      const monitors = await render(
        'PodMonitor',
        'podMonitor.enabled=true',
        group,
        AGENT,
        REACHABLE,
      )
      expect(monitors).toHaveLength(3)
      for (const monitor of monitors) {
        expect(monitor).toMatchObject({
          apiVersion: 'azmonitoring.coreos.com/v1',
          spec: { labelLimit: 63, labelNameLengthLimit: 511, labelValueLengthLimit: 1023 },
        })
      }
    })

    test('adds relabelings to each after its own', async () => {
      const cluster = { targetLabel: 'cluster', replacement: 'west' }
      const drop = { sourceLabels: ['__name__'], regex: 'nodejs_.+', action: 'drop' }
      const monitors = await render(
        'PodMonitor',
        `--set-json=podMonitor=${JSON.stringify({ enabled: true, relabelings: [cluster], metricRelabelings: [drop] })}`,
        AGENT,
        REACHABLE,
      )
      const before = await render('PodMonitor', 'podMonitor.enabled=true', AGENT, REACHABLE)
      expect(before).toHaveLength(3)
      expect(monitors.map(endpointOf)).toEqual(
        before.map(endpointOf).map(({ relabelings = [], ...rest }) => ({
          ...rest,
          relabelings: [...relabelings, cluster],
          metricRelabelings: [drop],
        })),
      )
    })

    test('has the labels and the interval that are given', async () => {
      const labels = 'podMonitor.labels.release=prometheus'
      const values = ['podMonitor.enabled=true', labels, 'podMonitor.interval=1m', AGENT, REACHABLE]
      const monitors = await render('PodMonitor', ...values)
      expect(monitors).toHaveLength(3)
      for (const monitor of monitors) {
        expect(monitor).toMatchObject({
          metadata: { labels: { release: 'prometheus' } },
          spec: { podMetricsEndpoints: [{ interval: '1m' }] },
        })
      }
    })
  })

  describe('prometheusRule', () => {
    test('has the rules of the example, with the node agent’s where there is one', async () => {
      const { groups } = Rules.parse(parse(await readFile(`${EXAMPLES}/rules.yaml`, 'utf8')))
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
      const before = await renderRules({})
      const after = await renderRules({
        runbookUrl: 'https://wiki.test/wimds',
        additionalRuleAnnotations: { runbook_url: 'https://wiki.test' },
      })
      expect(after).toEqual(
        before.map(({ annotations, ...rule }) =>
          rule.alert === undefined
            ? rule
            : {
                ...rule,
                annotations: {
                  ...annotations,
                  runbook_url: `https://wiki.test/wimds#${rule.alert.toLowerCase()}`,
                },
              },
        ),
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

    test('changes what is given of one alert, and nothing else', async () => {
      const WimdsNotReady = { for: '1h30m', keepFiringFor: '10m', severity: 'page' }
      const before = await renderRules({})
      const after = await renderRules({ alerts: { WimdsNotReady } })
      expect(after).toEqual(
        before.map((rule) =>
          rule.alert === 'WimdsNotReady'
            ? { ...rule, for: '1h30m', keep_firing_for: '10m', labels: { severity: 'page' } }
            : rule,
        ),
      )
    })

    test('a severity of an alert takes precedence over that of all alerts', async () => {
      const rules = await renderRules({
        additionalRuleLabels: { severity: 'info' },
        alerts: { WimdsNotReady: { severity: 'page' } },
      })
      const severityOf = (name: string) =>
        rules.find(({ alert }) => alert === name)?.labels?.['severity']
      expect(severityOf('WimdsNotReady')).toBe('page')
      expect(severityOf('WimdsDown')).toBe('info')
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

    test('takes a threshold of 0 and a fraction', async () => {
      const rules = await renderRules({
        alerts: { WimdsRestarting: { threshold: 0 }, WimdsRequestsFailing: { threshold: 0.5 } },
      })
      const exprOf = (name: string) => rules.find(({ alert }) => alert === name)?.expr
      expect(exprOf('WimdsRestarting')).toMatch(/ > 0$/)
      expect(exprOf('WimdsRequestsFailing')).toContain('error_ratio5m > 0.5 and ')
    })

    test.each([
      [
        'an unknown alert that is disabled',
        { disabled: { WimdsEntraSow: true } },
        "'/prometheusRule/disabled': additional properties 'WimdsEntraSow' not allowed",
      ],
      [
        'an unknown alert that is changed',
        { alerts: { WimdsEntraSow: { for: '5m' } } },
        "'/prometheusRule/alerts': additional properties 'WimdsEntraSow' not allowed",
      ],
      [
        'a threshold of an alert without one',
        { alerts: { WimdsDown: { threshold: 1 } } },
        "'/prometheusRule/alerts/WimdsDown': additional properties 'threshold' not allowed",
      ],
      [
        'a duration without a unit',
        { alerts: { WimdsDown: { for: '5' } } },
        '/prometheusRule/alerts/WimdsDown/for',
      ],
      [
        'a threshold that is no number',
        { alerts: { WimdsEntraSlow: { threshold: '5s' } } },
        '/prometheusRule/alerts/WimdsEntraSlow/threshold',
      ],
    ])('rejects %s', async (_, values, message) => {
      await expect(renderRules(values)).rejects.toThrow(message)
    })

    test.skipIf(!hasPrometheus())('has rules that Prometheus accepts', async () => {
      const alerts = Object.keys(THRESHOLDS).map((name) => [
        name,
        { threshold: 0.5, for: '7m', keepFiringFor: '1h', severity: 'page' },
      ])
      const rules = await renderRules({ alerts: Object.fromEntries(alerts) })
      await using directory = await scratch()
      const groups = [{ name: 'rendered', rules }]
      const file = await directory.write('rules.yaml', stringify({ groups }))
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
    test('has the dashboard of the example, and the label by which Grafana’s sidecar finds it', async () => {
      const [configMap] = await render('ConfigMap', 'dashboard.enabled=true')
      expect(configMap).toMatchObject({
        metadata: {
          name: 'wimds-dashboard',
          namespace: 'default',
          labels: { grafana_dashboard: '1' },
        },
      })
      const { data } = z.object({ data: z.record(z.string(), z.string()) }).parse(configMap)
      const example = await readFile(`${EXAMPLES}/dashboard.json`, 'utf8')
      expect(Object.keys(data)).toEqual(['wimds.json'])
      expect(data['wimds.json']?.trim()).toBe(example.trim())
    })

    test('is in the namespace and has the annotations that are given', async () => {
      const values = [
        'dashboard.namespace=monitoring',
        'dashboard.annotations.grafana_folder=wimds',
      ]
      expect(await render('ConfigMap', 'dashboard.enabled=true', ...values)).toMatchObject([
        { metadata: { namespace: 'monitoring', annotations: { grafana_folder: 'wimds' } } },
      ])
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
