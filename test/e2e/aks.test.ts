/** Checks what wimds creates in a cluster whose policies deny all that Deployment Safeguards of AKS can deny. */
import { cpSync, readdirSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { findCommands } from '../docs/pages.ts'
import { createFolder } from '../fixtures/folder.ts'
import {
  enforceSafeguards,
  installSafeguards,
  SAFEGUARDS,
  uninstallSafeguards,
  REGISTRY,
} from './support/aks.ts'
import { CHART, helm, installChart, RELEASE } from './support/chart.ts'
import { testCluster } from './support/cluster.ts'
import { IMAGES } from './support/environment.ts'
import { eventually } from './support/eventually.ts'
import { uninstallAgent } from './support/node-agent.ts'
import { doctor, kubectl } from './support/run.ts'
import { ACCOUNT, appPod, CLIENT, curl, STAY, TOKEN_PATH } from './support/workloads.ts'

const NAMESPACE = 'wimds-e2e-aks'
const EXAMPLES = ['kubernetes', 'services'].flatMap((folder) =>
  readdirSync(`examples/${folder}`).map((name) => `${folder}/${name}`),
)

const cluster = testCluster(NAMESPACE, {
  clientId: CLIENT,
  serviceAccounts: [`${NAMESPACE}:app`],
})
const folder = createFolder()

beforeAll(async () => {
  await uninstallAgent()
  await uninstallSafeguards()
  await installSafeguards()
  await cluster.another('wimds', 'baseline')
  await enforceSafeguards('wimds', SAFEGUARDS)
  await enforceSafeguards(NAMESPACE, SAFEGUARDS)
  await cluster.another('wimds-node-agent')
  await cluster.namespace.create(ACCOUNT)
  folder.write('values.yaml', findCommands('docs/tasks/aks-automatic.md', 'values'))
  await installChart(CHART, undefined, [`--values=${folder.file('values.yaml')}`])
})

afterAll(async () => {
  await helm('uninstall', RELEASE, '--namespace=wimds', '--no-hooks')
  await uninstallSafeguards()
  folder[Symbol.dispose]()
})

const probe = { exec: { command: ['true'] } }
const CONTAINER = {
  readinessProbe: probe,
  livenessProbe: probe,
  resources: { limits: { cpu: '100m', memory: '64Mi' } },
  securityContext: {
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    capabilities: { drop: ['ALL'] },
  },
}

/** Returns a pod that every safeguard admits, unless `more` or `container` changes it. */
const safePod = (name: string, more: object = {}, container: object = {}) =>
  appPod({
    name,
    account: 'app',
    script: STAY,
    ...more,
    container: { ...CONTAINER, ...container },
  })

const dryRun = (object: object, namespace = NAMESPACE) =>
  kubectl(
    ['create', '--dry-run=server', '-n', namespace, '-f', '-', '-o', 'name'],
    stringify(object),
  )

const { spec } = safePod('two')
const TWO = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'two' },
  spec: {
    replicas: 2,
    selector: { matchLabels: { app: 'two' } },
    template: { metadata: { labels: { app: 'two' } }, spec },
  },
}

describe('the safeguard', () => {
  test.each([
    ['probes', safePod('unsafe', {}, { livenessProbe: undefined })],
    ['limits', safePod('unsafe', {}, { resources: { limits: { memory: '64Mi' } } })],
    ['latest', safePod('unsafe', {}, { image: IMAGES.around.replace(/:[^:]*$/, ':latest') })],
    ['images', safePod('unsafe', {}, { image: 'other.example/app:1' })],
    ['spread', TWO],
    ['labels', safePod('unsafe', { labels: { 'kubernetes.azure.com/mode': 'user' } })],
    ['root', safePod('unsafe', {}, { securityContext: {} })],
  ])(
    '%s denies an object that violates only this rule, and admits a safe pod',
    async (rule, object) => {
      expect(SAFEGUARDS).toContain(rule)
      await eventually(`${rule} is enforced`, async () => {
        await expect(dryRun(object)).rejects.toThrow(`denied by the safeguard ${rule}`)
        return true
      })
      expect(await dryRun(safePod('safe'))).toBe('pod/safe\n')
    },
  )
})

test('the chart runs with the values of the page on AKS, and passes helm test', async () => {
  const output = await helm('test', RELEASE, '--namespace=wimds', '--timeout=90s')
  expect(output).toMatch(/Phase: +Succeeded/)
})

test.each(['env', 'node'])('an injected pod gets a token in mode %s', async (mode) => {
  const annotations = { 'wimds.io/inject': 'true', 'wimds.io/mode': mode }
  const origin = '$AZURE_POD_IDENTITY_AUTHORITY_HOST'
  const script = `${curl(TOKEN_PATH, mode === 'env' ? origin : undefined).replaceAll("'", '"')}; ${STAY}`
  await cluster.namespace.create(safePod(mode, { annotations, script }))
  await cluster.namespace.ready(mode)
  const { body } = await cluster.reply(mode)
  expect(await cluster.entra.clientIdOf(body['access_token'])).toBe(CLIENT)
})

async function checksBefore(mode: string, namespace: string) {
  const flags = [`--mode=${mode}`, `--namespace=${namespace}`, `--image-registry=${REGISTRY}`]
  return (await doctor('--pre', ...flags)).report.checks
}

describe('doctor', () => {
  const checked = `${NAMESPACE}-doctor`
  beforeAll(async () => {
    await cluster.another(checked)
    // Without values of the chart an injected container has no limit of CPU.
    const rules = SAFEGUARDS.filter((rule) => rule !== 'limits')
    await enforceSafeguards(checked, rules)
  })

  test.each(['env', 'node'])(
    'finds before an installation that mode %s is admitted',
    async (mode) => {
      const checks = await checksBefore(mode, checked)
      expect(checks.find(({ check }) => check === 'injected_pod')).toMatchObject({ status: 'ok' })
    },
  )

  test('names the value of the chart that a policy for limits requires', async () => {
    const checks = await checksBefore('node', NAMESPACE)
    expect(checks.find(({ check }) => check === 'injected_pod')).toMatchObject({
      status: 'failed',
      failure: {
        problem: expect.stringContaining('denied by the safeguard limits'),
        fix: expect.stringContaining('injection.resources.cpuLimit'),
      },
    })
  })

  test('reviews a pod of its own through the webhook', async () => {
    const { checks } = (await doctor('--cluster')).report
    expect(checks.find(({ check }) => check === 'webhook')).toMatchObject({ status: 'ok' })
    expect(checks.filter(({ status }) => status === 'failed')).toEqual([])
  })
})

test('the examples are admitted', async () => {
  const safe = await cluster.another(`${NAMESPACE}-examples`)
  // AKS itself makes the root file systems of pods read-only.
  await enforceSafeguards(
    safe.name,
    SAFEGUARDS.filter((rule) => rule !== 'root'),
  )
  cpSync('examples', folder.path, { recursive: true })
  folder.write('kubernetes/corporate-ca/ca.crt', '')
  const built = await Promise.all(
    EXAMPLES.map((example) => kubectl(['kustomize', folder.file(example)])),
  )
  const own = built
    .join('---\n')
    .replaceAll(/image: docker\.io\/\S+/g, `image: ${IMAGES.around}`)
    .replaceAll(/namespace: shop$/gm, `namespace: ${safe.name}`)
  expect(own.match(/^kind: (?:Deployment|Job)$/gm)?.length).toBeGreaterThanOrEqual(EXAMPLES.length)
  const args = ['apply', '--dry-run=server', '--filename=-']
  expect(await kubectl(args, own)).toContain('(server dry run)')
})
