/** The PromQL queries of the examples, and the names in them. */
import { readFile } from 'node:fs/promises'
import { parse } from 'yaml'
import { z } from 'zod'
import { createWebhookMetrics } from '../../src/injection/webhook/webhook-metrics.ts'
import { createIdleMetrics } from '../node/agent/pods.ts'
import { aMetricsRegistry } from '../broker/telemetry/observed.ts'

export const EXAMPLES = 'examples/observability'
export const RULES = 'charts/wimds/files/rules.yaml'
export const DASHBOARD = 'charts/wimds/files/dashboard.json'

const Rule = z.looseObject({
  record: z.string().optional(),
  alert: z.string().optional(),
  expr: z.string(),
  labels: z.record(z.string(), z.string()).optional(),
  annotations: z.record(z.string(), z.string()).optional(),
})
export const Rules = z.object({
  groups: z.array(z.looseObject({ name: z.string(), rules: z.array(Rule) })),
})

const Variable = z.looseObject({
  name: z.string(),
  query: z.union([z.string(), z.object({ query: z.string() })]),
})

const Panel = z.object({
  title: z.string(),
  type: z.string(),
  targets: z.array(z.object({ expr: z.string() })).default([]),
})

const Dashboard = z.object({
  title: z.string(),
  panels: z.array(Panel.extend({ panels: z.array(Panel).default([]) })),
  templating: z.object({ list: z.array(Variable) }),
})

export async function rules() {
  const { groups } = Rules.parse(parse(await readFile(RULES, 'utf8')))
  return groups.flatMap((group) => group.rules)
}

/** Returns the dashboard as it is in the file: the panels of a collapsed row are inside the row. */
async function readDashboard() {
  return Dashboard.parse(JSON.parse(await readFile(DASHBOARD, 'utf8')))
}

/** Returns all panels of the dashboard except its rows, and the panels of collapsed rows too. */
export async function dashboardPanels() {
  const { panels } = await readDashboard()
  return panels.flatMap((panel) => (panel.type === 'row' ? panel.panels : [panel]))
}

/** Returns the queries of the dashboard, with values for Grafana's variables. */
export async function dashboardQueries(rateInterval = '1m'): Promise<string[]> {
  return (await dashboardPanels())
    .flatMap(({ targets }) => targets)
    .map(({ expr }) =>
      replaceVariables(
        expr.replaceAll('$__rate_interval', rateInterval).replaceAll('$__range', '6h'),
      ),
    )
}

/** Returns the queries of the dashboard's variables, with values for the variables in them. */
export async function variableQueries() {
  const { templating } = await readDashboard()
  return templating.list.flatMap(({ name, query }) => {
    const text = typeof query === 'object' ? query.query : ''
    const [, selector = '', label = ''] = /^label_values\((.+), (\w+)\)$/.exec(text) ?? []
    return label === '' ? [] : [{ name, label, selector: replaceVariables(selector) }]
  })
}

const replaceVariables = (query: string) =>
  query.replaceAll(/\$(?:cluster|namespace|pod|system)\b/g, '.*')

/** Returns the queries of the page on observability. An empty line separates the queries of a block. */
export async function documentedQueries(): Promise<string[]> {
  const page = await readFile(`${EXAMPLES}/README.md`, 'utf8')
  const blocks = [...page.matchAll(/^```promql\n(.*?)^```$/gms)].map(([, block = '']) => block)
  return blocks.flatMap((block) => block.trim().split(/\n\s*\n/))
}

/** Series of Prometheus, Kubernetes's API server and kube-state-metrics, with their labels. */
export const OTHER_SERIES: ReadonlyMap<string, readonly string[]> = new Map([
  ['up', ['job', 'instance']],
  ['apiserver_admission_webhook_fail_open_count', ['name', 'type']],
  [
    'apiserver_admission_webhook_rejection_count',
    ['name', 'type', 'operation', 'error_type', 'rejection_code'],
  ],
  [
    'kube_mutatingwebhookconfiguration_webhook_clientconfig_service',
    ['mutatingwebhookconfiguration', 'webhook_name', 'service_name', 'service_namespace'],
  ],
  ['kube_deployment_spec_replicas', ['deployment']],
  ['kube_deployment_status_replicas_available', ['deployment']],
  ['kube_pod_info', ['node']],
  ['kube_pod_container_status_running', []],
  ['kube_pod_init_container_info', []],
  ['kube_pod_status_phase', ['phase']],
])

/** Returns the names of metrics and recorded series in a query, by their prefixes. */
export function namesIn(query: string): string[] {
  const withoutStrings = query.replaceAll(/"(?:[^"\\]|\\.)*"/g, '""')
  return [
    ...withoutStrings.matchAll(/\b(?:(?:wimds|process|nodejs|apiserver|kube)[_:][\w:]*|up(?=\{))/g),
  ].map(([name]) => name)
}

/** Returns the labels of every series that a sidecar, a webhook, a node agent or its broker exposes, by name. */
export async function exposedSeries(): Promise<ReadonlyMap<string, readonly string[]>> {
  const series = new Map<string, readonly string[]>()
  const registries = [
    aMetricsRegistry(),
    createWebhookMetrics(() => 0, new Map()).registry,
    createIdleMetrics(),
  ]
  for (const registry of registries) {
    for (const { name, type } of await registry.getMetricsAsJSON()) {
      const { labelNames } = Object(registry.getSingleMetric(name))
      const suffixes = String(type) === 'histogram' ? ['_bucket', '_sum', '_count'] : ['']
      for (const suffix of suffixes) series.set(`${name}${suffix}`, labelNames)
    }
  }
  return series
}

/** Returns every name that a query may use: exposed series and recorded series. */
export async function knownNames(): Promise<Set<string>> {
  const recorded = (await rules()).flatMap(({ record }) => record ?? [])
  return new Set([...(await exposedSeries()).keys(), ...OTHER_SERIES.keys(), ...recorded])
}
