/** Runs the commands of the task pages that need no Azure, in the order of the pages, and finds what an uninstall leaves. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { BLOCKS } from '../docs/pages.ts'
import { enforceAdmissions } from './support/aks.ts'
import { untilWebhookServes } from './support/chart.ts'
import { createReader, type Reader } from './support/docs.ts'
import { connectToEntra, type Entra } from './support/entra.ts'
import { IMAGES } from './support/environment.ts'
import { eventually } from './support/eventually.ts'
import { uninstallAgent } from './support/node-agent.ts'
import { listObjects } from './support/objects.ts'
import { kubectl } from './support/run.ts'

const QUICK_START = 'docs/tasks/quick-start-aks.md'
const EXISTING = 'docs/tasks/existing-workload.md'
const NAMESPACE = 'docs/tasks/namespace.md'
const UPGRADE = 'docs/tasks/upgrade.md'
const UNINSTALL = 'docs/tasks/uninstall.md'
const INSTALL = 'docs/install.md'
const NODE_AGENT = 'docs/node-agent.md'
const CLIENT = '11111111-1111-4111-8111-111111111111'
const ARM = 'https://management.azure.com'

const resources = new AsyncDisposableStack()
let entra: Entra
let reader: Reader
let before: ReadonlySet<string>

beforeAll(async () => {
  await uninstallAgent()
  await kubectl(['delete', 'namespace', 'shop', 'wimds', '--ignore-not-found'])
  entra = await connectToEntra()
  await entra.setApplications({ clientId: CLIENT, serviceAccounts: ['shop:orders'] })
  reader = resources.use(await createReader(CLIENT))
  before = await listObjects()
})

afterAll(async () => {
  await resources.disposeAsync()
  await kubectl(['delete', 'namespace', 'shop', 'wimds', '--ignore-not-found', '--wait=false'])
})

const rolledOut = () =>
  kubectl(['rollout', 'status', 'deployment/orders', '--namespace=shop', '--timeout=2m'])
async function restart(): Promise<void> {
  await kubectl(['rollout', 'restart', 'deployment/orders', '--namespace=shop'])
  await rolledOut()
}

const listInitContainers = () => {
  const names = 'jsonpath={.items[*].spec.initContainers[*].name}'
  return kubectl(['get', 'pods', '--namespace=shop', '--selector=app=orders', '-o', names])
}

/** Waits until the pods of the Deployment have these init containers. */
const untilPodsHave = (names: string) =>
  eventually(`the pods have '${names}'`, async () => {
    expect(await listInitContainers()).toBe(names)
    return true
  })

test('the quick start installs the webhook and gets a token in its application', async () => {
  await reader.run(QUICK_START, 'install')
  await untilWebhookServes()
  await reader.run(QUICK_START, 'application')
  await reader.run(QUICK_START, 'check')
  const reply = await reader.run(QUICK_START, 'token')
  expect(JSON.parse(reply)).toMatchObject({ access_token: '…', resource: ARM, client_id: CLIENT })
})

test('an existing workload gets the sidecar, and loses it again', async () => {
  const labels = { app: 'orders' }
  const containers = [{ name: 'orders', image: IMAGES.around, command: ['sleep', '9999'] }]
  const spec = { serviceAccountName: 'orders', terminationGracePeriodSeconds: 1, containers }
  const deployment = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'orders', namespace: 'shop' },
    spec: { selector: { matchLabels: labels }, template: { metadata: { labels }, spec } },
  }
  const account = { kind: 'ServiceAccount', apiVersion: 'v1', metadata: { name: 'orders' } }
  await kubectl(['delete', 'serviceaccount', 'orders', '--namespace=shop'])
  await kubectl(['create', '--namespace=shop', '-f', '-'], stringify(account))
  await kubectl(['create', '-f', '-'], stringify(deployment))
  await reader.run(EXISTING, 'annotate')
  await reader.run(EXISTING, 'opt-in')
  expect(await listInitContainers()).toContain('wimds wimds-redirect')
  await reader.run(EXISTING, 'check')
  await reader.run(EXISTING, 'opt-out')
  await reader.run(EXISTING, 'annotate-undo')
  await untilPodsHave('')
  const path = 'jsonpath={.metadata.annotations}'
  expect(await kubectl(['get', 'serviceaccount', 'orders', '--namespace=shop', '-o', path])).toBe(
    '',
  )
})

test('every new pod of a labelled namespace has the sidecar', async () => {
  await reader.run(NAMESPACE, 'install')
  await reader.run(EXISTING, 'annotate')
  await reader.run(NAMESPACE, 'label')
  await restart()
  await untilPodsHave('wimds wimds-redirect')
  expect(await reader.run(NAMESPACE, 'check')).toMatch(/Phase: +Succeeded/)
  expect(await reader.run(NAMESPACE, 'dry-run')).toBe('wimds wimds-redirect')
  await reader.run(NAMESPACE, 'unlabel')
})

test('a diff of the chart shows nothing that the webhook or AKS writes', async () => {
  await enforceAdmissions()
  expect(await reader.run(UPGRADE, 'diff')).toBe('')
})

const BUILT_IN = /^(?:v1|apps\/v1|batch\/v1|(?:rbac\.authorization|networking)\.k8s\.io\/v1)$/

const isBuiltIn = (document: string) =>
  BUILT_IN.test(/^apiVersion: (\S+)$/m.exec(document)?.[1] ?? '')

const manifests = BLOCKS.filter(({ language }) => language === 'yaml').flatMap((block) => {
  const documents = block.text.split(/^---$/m).filter(isBuiltIn)
  return documents.length > 0 ? [{ place: block.place, manifest: documents.join('---') }] : []
})

test.each(manifests)('$place is valid for the API server', async ({ manifest }) => {
  const flags = ['--dry-run=server', '--validate=strict', '--namespace=shop', '-f', '-']
  expect(await kubectl(['apply', ...flags], manifest)).toContain('(server dry run)')
})

test('the workloads of a labelled namespace lose the sidecar before the uninstall', async () => {
  await kubectl(['delete', 'pod', 'orders', '--namespace=shop', '--ignore-not-found'])
  await reader.run(NAMESPACE, 'label')
  await restart()
  expect(await reader.run(UNINSTALL, 'check-pods')).toMatch(/^shop\/orders-/m)
  await reader.run(UNINSTALL, 'unlabel')
  await reader.run(UNINSTALL, 'opt-out')
  await eventually('no pod has a sidecar', async () => {
    expect(await reader.run(UNINSTALL, 'check-pods')).toBe('')
    return true
  })
  await reader.run(UNINSTALL, 'uninstall')
  expect(await reader.run(UNINSTALL, 'check-webhook')).toBe('')
})

test('the commands that install, add the node agent, upgrade and uninstall work in this order, and leave no object', async () => {
  await reader.run(INSTALL, 'chart')
  await reader.run(NODE_AGENT, 'install')
  await reader.run(EXISTING, 'annotate')
  await reader.run(NODE_AGENT, 'mode')
  await rolledOut()
  await untilPodsHave('wimds-gate')
  await reader.run(UPGRADE, 'diff')
  await reader.run(UPGRADE, 'upgrade')
  await reader.run(UPGRADE, 'undo')
  await rolledOut()
  await expect(reader.run(UNINSTALL, 'uninstall')).rejects.toThrow('wimds-uninstall')
  const log = await kubectl(['logs', 'job/wimds-uninstall', '--namespace=wimds-node-agent'])
  expect(log).toMatch(/these pods would get no tokens any more \(\d\): shop\/orders-/)
  await expect(reader.run(UPGRADE, 'upgrade')).rejects.toThrow('has no deployed releases')
  await reader.run(UNINSTALL, 'keep')
  await reader.run(UPGRADE, 'upgrade')
  await reader.run(UNINSTALL, 'opt-out')
  await untilPodsHave('')
  await reader.run(QUICK_START, 'uninstall')
  await eventually('the cluster is as it was', async () => {
    expect([...(await listObjects())].filter((object) => !before.has(object))).toEqual([])
    return true
  })
})
