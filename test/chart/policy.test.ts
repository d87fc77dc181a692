/** The chart with policies in place of the webhook. `test/e2e/policy.test.ts` evaluates their expressions. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { SET_BY_INJECTION } from '../../src/injection/injector/injection-settings.ts'
import { PER_POD_SETTINGS } from '../../src/broker/config/node-mode-settings.ts'
import { CHART, render, template } from './helm.ts'
import { POLICY } from './values.ts'

const readChart = (file: string) => readFileSync(`${CHART}/${file}`, 'utf8')

/** Returns the paths of the values in a YAML text, such as `image.tag`. */
function findPaths(yaml: string): string[] {
  const descend = (value: unknown, path: readonly string[]): string[] => {
    const isMap = typeof value === 'object' && value !== null && !Array.isArray(value)
    const entries = isMap ? Object.entries(value) : []
    if (entries.length === 0) return [path.join('.')]
    return entries.flatMap(([name, each]) => descend(each, [...path, name]))
  }
  return descend(parse(yaml), [])
}

/** The values that policies accept, with all values below them: they have a use without the webhook, or disable an object. */
const ACCEPTED = [
  'fullnameOverride commonLabels imagePullSecrets nodeAgent podMonitor prometheusRule dashboard',
  'global image redirectImage gateImage clusterImage webhook.excludedNamespaces webhook.namespaceSelector',
  'injection.by injection.mode injection.tenantId injection.uid injection.audience',
  'injection.ca injection.env injection.resources',
  // Values that disable objects of the webhook.
  'flowSchema admissionPolicy networkPolicy',
  // Values that also apply to the pod of `helm test`.
  'resources podSecurityContext securityContext nodeSelector tolerations',
].flatMap((line) => line.split(' '))

const isAccepted = (path: string) => ACCEPTED.some((each) => `${path}.`.startsWith(`${each}.`))

test('wimds.checkPolicy rejects every value that has no use with a policy', () => {
  const helpers = readChart('templates/injection-policy.yaml')
  const [, defaults = ''] = /"wimds.webhookDefaults" -}}(.+?){{- end/s.exec(helpers) ?? []
  const others = findPaths(readChart('values.yaml')).filter((path) => !isAccepted(path))
  expect(findPaths(defaults).toSorted()).toEqual(others.toSorted())
})

test('the chart with a policy renders nothing of the webhook', async () => {
  const objects = await render(POLICY, [
    '--skip-tests',
    '--set=podMonitor.enabled=true,prometheusRule.enabled=true',
    '--set-json=nodeAgent.scrapers=[{"podSelector":{}}]',
  ])
  const ofWebhook =
    /^(?:Deployment|Service|Secret|Role|PodDisruptionBudget|FlowSchema|.*Webhook.*)$/
  expect(objects.length).toBeGreaterThan(10)
  expect(objects.filter(({ kind }) => ofWebhook.test(kind))).toEqual([])
  const text = JSON.stringify(objects)
  expect(text).toContain('WimdsNodeAgentMissing')
  expect(text).not.toContain('WimdsWebhook')
  // Without the webhook, the agent reads the ServiceAccounts.
  const role = objects.find(({ kind }) => kind === 'ClusterRole')
  expect(JSON.stringify(role)).toContain('"serviceaccounts"')
})

test('the policy puts into the gate every setting of a pod that the operator can set', async () => {
  const names = [...PER_POD_SETTINGS].filter((name) => !SET_BY_INJECTION.has(name))
  const env = {
    ...Object.fromEntries(names.map((name) => [name, 'true'])),
    AZURE_AUTHORITY_HOST: String.raw`a'b"c\d`,
    WIMDS_UNLISTED_CLIENT_IDS: 'deny',
    WIMDS_MAX_CONNECTIONS: '100',
    WIMDS_INSTANCE: '{"compute":{"zone":"1"}}',
  }
  const rendered = await template([POLICY, [`--set-json=injection.env=${JSON.stringify(env)}`]])
  for (const name of names) expect(rendered).toMatch(new RegExp(`\\['?"?${name}'?"?, `))
  expect(rendered).toContain(String.raw`["AZURE_AUTHORITY_HOST", "a'b\"c\\d"]`)
  expect(rendered).toContain(String.raw`["WIMDS_INSTANCE", "{\"compute\":{\"zone\":\"1\"}}"]`)
  expect(rendered).toContain(`annotations[?'wimds.io/prefetch'].orValue("true")`)
})
