/** What the chart renders for Prometheus and Grafana from the files of the repository. */
import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { parse, stringify } from 'yaml'
import { DASHBOARD, EXAMPLES, RULES, Rules } from '../observability/queries.ts'
import { hasPrometheus, promtool } from '../prometheus/tools.ts'
import { createFolder } from '../fixtures/folder.ts'
import { render } from './helm.ts'
import { THRESHOLDS } from './values.ts'

const NODE_AGENT_RULES = 'wimds-node-agent-alerts'

async function renderGroups(values: object, ...flags: readonly string[]) {
  const objects = await render({ prometheusRule: { ...values, enabled: true } }, flags)
  const rule = objects.find(({ kind }) => kind === 'PrometheusRule')
  return Rules.parse(rule?.['spec']).groups
}

/** Returns the alerts and recording rules with these values of `prometheusRule`, those of the node agent included. */
const renderRules = async (values: object) =>
  (await renderGroups(values, '--set=nodeAgent.enabled=true')).flatMap(({ rules }) => rules)

test('the PodMonitor of sidecars scrapes them as the example does', async () => {
  const objects = await render(['--set=podMonitor.enabled=true'])
  const sidecars = objects.find(({ metadata }) => metadata.name === 'wimds-sidecars')
  const example = parse(await readFile(`${EXAMPLES}/podmonitor.yaml`, 'utf8'))
  expect(sidecars?.['spec']).toEqual(example.spec)
})

test('the PrometheusRule has the rules of its file, with the node agent’s where there is one', async () => {
  const { groups } = Rules.parse(parse(await readFile(RULES, 'utf8')))
  expect(await renderGroups({}, '--set=nodeAgent.enabled=true')).toEqual(groups)
  const others = groups.filter(({ name }) => name !== NODE_AGENT_RULES)
  expect(others).toHaveLength(groups.length - 1)
  expect(await renderGroups({})).toEqual(others)
})

test('labels, annotations and another runbook are added to every alert, and to no recording rule', async () => {
  const rules = await renderRules({
    runbookUrl: 'https://wiki.test/wimds',
    additionalRuleLabels: { team: 'platform' },
    additionalRuleAnnotations: { dashboard: 'https://grafana.test', runbook_url: 'ignored' },
  })
  const alerts = rules.filter(({ alert }) => alert !== undefined)
  expect(alerts.length).toBeGreaterThan(20)
  for (const { alert = '', labels, annotations } of alerts) {
    expect(labels).toMatchObject({ team: 'platform', severity: expect.any(String) })
    const runbook = `https://wiki.test/wimds#${alert.toLowerCase()}`
    expect(annotations).toMatchObject({ dashboard: 'https://grafana.test', runbook_url: runbook })
  }
  const recordings = rules.filter(({ record }) => record !== undefined)
  expect(recordings.length).toBeGreaterThan(5)
  expect(recordings.filter(({ labels }) => labels !== undefined)).toEqual([])
})

test.skipIf(!hasPrometheus())(
  'the rules are accepted by Prometheus with every setting of alerts',
  async () => {
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
  },
)

test('the dashboard is that of its file', async () => {
  const objects = await render(['--set=dashboard.enabled=true'])
  const configMap = objects.find(({ kind }) => kind === 'ConfigMap')
  const file = await readFile(DASHBOARD, 'utf8')
  expect(configMap?.['data']).toEqual({ 'wimds.json': expect.stringContaining(file.trim()) })
})
