/** The chart renders the objects of golden/, and rejects invalid values. A change in golden/ is a change of the chart. */
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { parse, stringify } from 'yaml'
import { z } from 'zod'
import { createFolder } from '../fixtures/folder.ts'
import { copyWithNotes, describeEffects, renderLines, renderNotes } from './effects.ts'
import {
  CHART,
  HELMS,
  parseDocuments,
  parseManifests,
  render,
  template,
  type Values,
} from './helm.ts'
import {
  BY_POLICY,
  type Group,
  NODE_AGENT,
  POLICY,
  PROMETHEUS,
  REJECTED,
  REJECTED_BY_POLICY,
  WEBHOOK,
} from './values.ts'

const { version: CHART_VERSION } = z
  .object({ version: z.string() })
  .parse(parse(readFileSync(`${CHART}/Chart.yaml`, 'utf8')))
const withoutVersion = (text: string) => text.replaceAll(CHART_VERSION, 'VERSION')

test('the suite runs with Helm 3 and Helm 4', () => {
  const majors = new Set(HELMS.map(({ version }) => version.split('.')[0]))
  expect(majors).toEqual(new Set(['v3', 'v4']))
})

describe.each(HELMS)('Helm $version', (helm) => {
  /** Returns each object as text, in the order of the texts: the order of the kinds depends on the version of Helm. */
  const renderTexts = async (...values: readonly Values[]) =>
    parseDocuments(await template(values, { helm }))
      .map((document) => withoutVersion(stringify(document, { lineWidth: 0 })))
      .toSorted()

  test('renders the objects of golden/', async () => {
    const usual = await renderTexts()
    await expect(usual.join('---\n')).toMatchFileSnapshot('golden/default.yaml')
    const withAgent = await renderTexts(['--set=nodeAgent.enabled=true'])
    const changed = withAgent.filter((text) => !usual.includes(text))
    await expect(changed.join('---\n')).toMatchFileSnapshot('golden/node-agent.yaml')
    const policies = await renderTexts(POLICY, ['--show-only=templates/injection-policy.yaml'])
    await expect(policies.join('---\n')).toMatchFileSnapshot('golden/policy.yaml')
  })

  test('rejects what the schema and the templates forbid, and passes helm lint', async () => {
    for (const values of ['injektion.mode=env', 'drain=2h']) {
      await expect(template([[`--set=${values}`]], { helm })).rejects.toThrow('Error: ')
    }
    expect(await helm.run('lint', '--strict', CHART)).toContain('0 chart(s) failed')
  })
})

test.each<[string, Group]>([
  ['webhook', WEBHOOK],
  ['agent', NODE_AGENT],
  ['prometheus', PROMETHEUS],
  ['policy', BY_POLICY],
])('values have the effects of golden/values-%s.txt', async (name, [base, cases]) => {
  using folder = createFolder()
  const chart = await copyWithNotes(folder)
  const found = [
    `# The notes of the values that others are compared with\n${await renderNotes(chart, base)}`,
  ]
  const usual = await renderLines(chart, base)
  for (const [title, values] of Object.entries(cases)) {
    const lines = await renderLines(chart, [...base, ...values])
    found.push(`${title}\n${describeEffects(usual, lines)}\n`)
  }
  await expect(withoutVersion(found.join('\n'))).toMatchFileSnapshot(`golden/values-${name}.txt`)
})

/** Returns the message of the chart, or the lines of its schema. */
const messageIn = (error: unknown): string => {
  const text = String(error)
  const [, message] = /execution error at [^:]*:\d+:\d+\): (.*)/.exec(text) ?? []
  return (
    message ?? (text.match(/^ *- at .*$/gm) ?? [`not rejected by the chart: ${text}`]).join('\n')
  )
}

test('rejects the values of golden/rejected.txt', async () => {
  const found: string[] = []
  for (const [base, rejected] of [
    [[], REJECTED],
    [POLICY, [...REJECTED_BY_POLICY]],
  ] as const) {
    for (const values of rejected) {
      const flag = values.startsWith('--') ? values : `--set=${values}`
      const error: unknown = await template([base, [flag]]).catch((thrown: unknown) => thrown)
      found.push(`${values}\n  ${messageIn(error)}\n`)
    }
  }
  const early = await template([POLICY, ['--kube-version=1.35.2']]).catch(messageIn)
  found.push(`policies before Kubernetes 1.36\n  ${early}\n`)
  await expect(found.join('\n')).toMatchFileSnapshot('golden/rejected.txt')
})

test.each([
  'resources.limits.memory=268435456,resources.limits.cpu=1.5,nodeAgent.resources.requests.memory=1e3',
  'resources=null,image.repository=wimds,nodeAgent.adminListen=[fd00::1]:9441',
  'image.repository=GHCR.IO/acme/wimds,nodeAgent.adminListen=0.0.0.0:9441',
  'image.repository=registry.example:5000/a/b--c__d.e,nodeAgent.adminListen=node-1.example:9441',
])('the chart accepts %s', async (values) => {
  expect(await template([[`--set=${values}`]])).toContain('kind: Deployment')
})

test('the chart names every object after its release, so that a canary shares none, and adds commonLabels', async () => {
  const objects = parseManifests(
    await template([['--set=commonLabels.team=shop']], { release: 'other' }),
  )
  expect(objects.length).toBeGreaterThan(10)
  for (const { metadata } of objects) {
    expect(metadata.name).toMatch(/^other-wimds(?:-tls|-ca-bundle|-secret|-test|-test-wait)?$/)
    expect(metadata.labels['team']).toBe('shop')
  }
})

test('the longest names leave room for suffixes', async () => {
  const name = 'b'.repeat(50)
  for (const { metadata } of await render([
    `--set=fullnameOverride=${name},nodeAgent.enabled=true`,
  ])) {
    expect(metadata.name).toMatch(/^b{50}|^wimds-node-agent$/)
    const long = [metadata.name, ...Object.values(metadata.labels)].filter((it) => it.length > 63)
    expect(long).toEqual([])
  }
})

test('the chart renders names that look like numbers and comments as text', async () => {
  const values = {
    fullnameOverride: 'true',
    priorityClassName: '1',
    nodeAgent: { enabled: true, namespace: '789', priorityClassName: '2', scrapers: [{}] },
    webhook: { clientCaSecret: '123' },
    dashboard: { enabled: true },
    podMonitor: { enabled: true },
    prometheusRule: { enabled: true },
    injection: { audience: 'api://x #b' },
  }
  const output = await template([values, ['--namespace=456']])
  // Only ports, sizes and times may be numbers.
  const numbers = output.match(/^.*(?:name|namespace|Name|kubernetes\.io\/\S+): *(?:true|\d+)$/gim)
  expect(numbers).toBeNull()
  expect(output).toContain('"--audience=api://x #b"')
})

test('the chart accepts the common settings in its README', async () => {
  const page = readFileSync(`${CHART}/README.md`, 'utf8')
  const [, section = ''] = page.split('\n## Common settings\n')
  const [list = ''] = section.split('\n## ')
  const rows = list
    .split(/^- /m)
    .slice(1)
    .map((item) => [...item.matchAll(/`([^`]+: [^`]+)`/g)].map(([, text = '']) => parse(text)))
  expect(rows.length).toBeGreaterThan(8)
  for (const values of rows) {
    expect(await template(values)).toContain('kind: MutatingWebhookConfiguration')
  }
})
