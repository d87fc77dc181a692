/** The chart renders the objects for Prometheus and Grafana from the files of the repository. */
import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { DASHBOARD, EXAMPLES, RULES, Rules } from '../observability/queries.ts'
import { render } from './helm.ts'

const NODE_AGENT_RULES = 'wimds-node-agent-alerts'

async function renderGroups(...flags: readonly string[]) {
  const objects = await render(['--set=prometheusRule.enabled=true', ...flags])
  const rule = objects.find(({ kind }) => kind === 'PrometheusRule')
  return Rules.parse(rule?.['spec']).groups
}

test('the PodMonitor of sidecars is the same as in the example', async () => {
  const objects = await render(['--set=podMonitor.enabled=true'])
  const sidecars = objects.find(({ metadata }) => metadata.name === 'wimds-sidecars')
  const example = parse(await readFile(`${EXAMPLES}/podmonitor.yaml`, 'utf8'))
  expect(sidecars?.['spec']).toEqual(example.spec)
})

test('the PrometheusRule has the rules of its file, and those of the node agent only if that is enabled', async () => {
  const { groups } = Rules.parse(parse(await readFile(RULES, 'utf8')))
  expect(await renderGroups('--set=nodeAgent.enabled=true')).toEqual(groups)
  const others = groups.filter(({ name }) => name !== NODE_AGENT_RULES)
  expect(others).toHaveLength(groups.length - 1)
  expect(await renderGroups()).toEqual(others)
})

test('labels and another runbook are added to every alert, and to no recording rule', async () => {
  const values =
    'runbookUrl=https://wiki.test,additionalRuleLabels.team=a,additionalRuleAnnotations.runbook_url=b'
  const groups = await renderGroups(`--set=${values.replaceAll(/(^|,)/g, '$1prometheusRule.')}`)
  const ofAlert = { team: 'a', severity: expect.any(String) }
  for (const { alert, labels, annotations } of groups.flatMap(({ rules }) => rules)) {
    expect(labels).toEqual(alert && ofAlert)
    expect(annotations?.['runbook_url']).toBe(alert && `https://wiki.test#${alert.toLowerCase()}`)
  }
})

test('the ConfigMap has the dashboard of its file, and the label by which Grafana finds it', async () => {
  const objects = await render(['--set=dashboard.enabled=true'])
  const configMap = objects.find(({ kind }) => kind === 'ConfigMap')
  expect(configMap?.metadata.labels['grafana_dashboard']).toBe('1')
  const file = await readFile(DASHBOARD, 'utf8')
  expect(configMap?.['data']).toEqual({ 'wimds.json': expect.stringContaining(file.trim()) })
})
