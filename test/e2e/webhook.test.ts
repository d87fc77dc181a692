/** The chart and its webhook: admission, certificate rotation, upgrade under load. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { CHART, helm, installChart, RELEASE, untilWebhookServes } from './support/chart.ts'
import { testCluster } from './support/cluster.ts'
import { clusterCa, VAULT } from './support/entra.ts'
import { HAS_ASPNET } from './support/environment.ts'
import { eventually } from './support/eventually.ts'
import { startLoad } from './support/load.ts'
import type { TestNamespace } from './support/namespace.ts'
import { doctor, kubectl, run } from './support/run.ts'
import { ACCOUNT, appPod, CLIENT, curl, STAY, TOKEN_PATH } from './support/workloads.ts'

const NAMESPACE = 'wimds-e2e-webhook'
const NODE_ADDRESSES = '{.items[*].status.addresses[?(@.type=="InternalIP")].address}'
const ENFORCE = 'pod-security.kubernetes.io/enforce'
const OPT_IN = { 'wimds.io/inject': 'true' }

const cluster = testCluster(NAMESPACE)
let own: TestNamespace
let labelled: TestNamespace

beforeAll(async () => {
  // The webhook's own namespace enforces restricted: its pods have to be admitted there.
  own = await cluster.another('wimds', 'restricted')
  labelled = await cluster.another(`${NAMESPACE}-labelled`)
  await kubectl(['label', 'namespace', labelled.name, 'wimds.io/inject=true'])
  await installChart()
  await cluster.namespace.create(ACCOUNT)
})
afterAll(() => helm('uninstall', RELEASE, '--namespace=wimds'))

const pod = (name: string, annotations: Record<string, string> = {}, more: object = {}) =>
  appPod({ name, account: 'app', script: `${curl(TOKEN_PATH)}; ${STAY}`, annotations, ...more })

const containersOf = async (name: string) => {
  const names = '{.spec.initContainers[*].name} {.spec.containers[*].name}'
  return (await cluster.namespace.field(`pod ${name}`, names)).trim().split(/\s+/)
}

/** Creates an application that listens on this port, and returns what it answers. */
async function serveOn(port: number, name: string, container: object): Promise<string> {
  const ports = [{ containerPort: port }]
  await cluster.namespace.create(pod(name, OPT_IN, { container: { ...container, ports } }))
  await cluster.namespace.ready(name)
  const get = ['exec', name, '-c', 'app', '--', 'curl', '-sSf', `http://127.0.0.1:${port}/`]
  return eventually(`an answer of ${name}`, () => cluster.namespace.kubectl(get))
}

describe('the webhook', () => {
  test('injects a pod that opts in, which gets a token of its identity', async () => {
    await cluster.namespace.create(pod('opted-in', OPT_IN, { initScript: curl(TOKEN_PATH) }))
    await cluster.namespace.ready('opted-in')
    expect(await containersOf('opted-in')).toEqual(['wimds', 'wimds-redirect', 'init', 'app'])
    for (const container of ['init', 'app']) {
      const { body } = await cluster.reply('opted-in', container)
      expect(await cluster.entra.clientIdOf(body['access_token'])).toBe(CLIENT)
    }
  })

  test('an application of uvicorn on its port 8000 serves beside the sidecar', async () => {
    const command = ['python3', '-m', 'uvicorn', '--host=0.0.0.0', 'orders:app']
    expect(await serveOn(8000, 'uvicorn', { command })).toContain('expiresOn')
  })

  test.skipIf(!HAS_ASPNET)(
    'an application of ASP.NET Core with its uid and a read-only file system serves beside the sidecar',
    async () => {
      const answer = await serveOn(8080, 'aspnet', {
        command: ['/app/aspnet/dotnet', '/app/aspnet/2026/driver.dll', 'serve', VAULT],
        env: [
          { name: 'ASPNETCORE_HTTP_PORTS', value: '8080' },
          { name: 'DOTNET_EnableDiagnostics', value: '0' },
          { name: 'DOTNET_SYSTEM_GLOBALIZATION_INVARIANT', value: '1' },
        ],
        securityContext: { runAsUser: 1654, readOnlyRootFilesystem: true },
      })
      expect(Date.parse(answer.slice(1, -1))).toBeGreaterThan(Date.now())
    },
  )

  test('mounts the CA that an annotation names, in place of the operator’s', async () => {
    const bundle = `--from-literal=bundle.pem=${await clusterCa()}`
    await cluster.namespace.kubectl(['create', 'configmap', 'own-ca', bundle])
    const annotations = { ...OPT_IN, 'wimds.io/ca-config-map': 'own-ca/bundle.pem' }
    await cluster.namespace.create(pod('own-ca', annotations))
    await cluster.namespace.ready('own-ca')
    const path = '{.spec.volumes[*].configMap.name}'
    expect(await cluster.namespace.field('pod own-ca', path)).toBe('own-ca')
    expect(await cluster.reply('own-ca')).toMatchObject({ status: 200 })
  })

  test('rejects a pod with messages that name the fixes', async () => {
    const manifest = pod(
      'host',
      { ...OPT_IN, 'wimds.io/mdoe': 'nft' },
      { spec: { hostNetwork: true } },
    )
    await expect(cluster.namespace.create(manifest)).rejects.toThrow(
      /denied the request.*wimds.io\/mdoe is unknown.*remove hostNetwork/s,
    )
  })

  test('does not change a pod in an excluded namespace', async () => {
    const manifest = stringify(appPod({ name: 'excluded', script: STAY, annotations: OPT_IN }))
    const args = ['create', '--namespace=kube-system', '--dry-run=server', '-f', '-', '-o', 'json']
    expect(await kubectl(args, manifest)).not.toContain('wimds-token')
  })
})

const DRY_RUN = ['create', '--dry-run=server', '-f', '-', '-o', 'json']
const dryRun = (manifest: object) => labelled.kubectl(DRY_RUN, stringify(manifest))

describe('a namespace with the label', () => {
  beforeAll(() => labelled.create(ACCOUNT))

  test('gets the sidecar in pods without an annotation, and no pod that cannot be injected', async () => {
    expect(await dryRun(pod('plain'))).toContain('wimds-token')
    const created = dryRun(appPod({ name: 'default', script: STAY }))
    await expect(created).rejects.toThrow('the ServiceAccount default')
  })

  test('may be the namespace of the webhook, whose pods are not changed', async () => {
    await kubectl(['label', 'namespace', own.name, 'wimds.io/inject=true'])
    const manifest = stringify(appPod({ name: 'own', script: STAY }))
    expect(await own.kubectl(DRY_RUN, manifest)).not.toContain('wimds-token')
    await kubectl(['label', 'namespace', own.name, 'wimds.io/inject-'])
  })
})

describe('a namespace that limits resources', () => {
  let limited: TestNamespace
  const limits = [{ type: 'Container', max: { cpu: '2' }, default: { cpu: '1' } }]
  const LIMIT_RANGE = {
    apiVersion: 'v1',
    kind: 'LimitRange',
    metadata: { name: 'defaults' },
    spec: { limits },
  }
  const QUOTA = {
    apiVersion: 'v1',
    kind: 'ResourceQuota',
    metadata: { name: 'quota' },
    spec: { hard: { 'limits.cpu': '10' } },
  }
  beforeAll(async () => {
    limited = await cluster.another(`${NAMESPACE}-limited`)
    await limited.create(ACCOUNT, LIMIT_RANGE, QUOTA)
    const used = () => limited.field('resourcequota quota', '{.status.used}')
    await eventually('the quota counts', async () => (await used()) || undefined)
  })

  test('admits injected pods, with its default limit', async () => {
    const output = await limited.kubectl(DRY_RUN, stringify(pod('limited', OPT_IN)))
    const { spec }: { spec: { initContainers: readonly object[] } } = JSON.parse(output)
    const resources = { requests: { cpu: '10m' }, limits: { cpu: '1', memory: '128Mi' } }
    expect(spec.initContainers).toMatchObject([
      { name: 'wimds', resources },
      { name: 'wimds-redirect', resources },
    ])
  })

  test('passes doctor --pre', async () => {
    const { report } = await doctor('--pre', `--namespace=${limited.name}`)
    expect(report.checks.find(({ check }) => check === 'injected_pod')).toMatchObject({
      status: 'ok',
    })
  })
})

test('the API server admits an injected pod with pod-level resources', async () => {
  const podLevel = { requests: { cpu: '100m' }, limits: { cpu: '100m', memory: '100Mi' } }
  const container = { resources: { requests: { cpu: '100m', memory: '100Mi' } } }
  const manifest = pod('pod-level', OPT_IN, { container, spec: { resources: podLevel } })
  // Kubernetes 1.31 has no pod-level resources.
  const args = [...DRY_RUN, '--validate=ignore']
  expect(await cluster.namespace.kubectl(args, stringify(manifest))).toContain('wimds-token')
})

test('the notes have a command that shows what a pod would get', async () => {
  const notes = await helm('get', 'notes', RELEASE, '--namespace=wimds')
  const [command = ''] = /kubectl run [^]*?'$/m.exec(notes) ?? []
  const shown = command.replace('NAMESPACE', NAMESPACE).replace('NAME', 'app')
  const { stdout } = await run('bash', ['-c', shown])
  expect(stdout).toBe('wimds wimds-redirect')
})

const caBundle = () =>
  own.field(`mutatingwebhookconfiguration ${RELEASE}`, '{.webhooks[0].clientConfig.caBundle}')

test('the webhook serves a new certificate without a restart and without a failed review', async () => {
  const before = await caBundle()
  const load = startLoad(cluster.namespace, pod('load', OPT_IN))
  await own.kubectl(['patch', 'secret', `${RELEASE}-tls`, '--type=merge', '-p', '{"data":null}'])
  await eventually('both replicas serve the new certificate', async () => {
    const logs = await own.kubectl(['logs', '-l', 'app.kubernetes.io/name=wimds', '--tail=-1'])
    return logs.split('certificate_loaded').length > 4 ? logs : undefined
  })
  expect(await load.stop()).toEqual([])
  expect(await caBundle()).not.toBe(before)
  const restarts = '{.items[*].status.containerStatuses[*].restartCount}'
  expect(await own.field('pods', restarts)).toBe('0 0')
})

/** Returns the names of the webhook's pods, also of those that are ending. */
const listReplicas = async () =>
  (await own.field('pods -l app.kubernetes.io/name=wimds', '{.items[*].metadata.name}')).split(' ')

test('an upgrade that changes the mode rejects no pod that either generation reviews', async () => {
  const earlier = await listReplicas()
  const load = startLoad(cluster.namespace, pod('load', OPT_IN))
  const flags = ['--namespace=wimds', '--wait', '--timeout=90s', '--reuse-values']
  await helm('upgrade', RELEASE, CHART, ...flags, '--set=injection.mode=env')
  await eventually('the earlier replicas have ended', async () => {
    expect((await listReplicas()).filter((name) => earlier.includes(name))).toEqual([])
    return true
  })
  expect(await load.stop()).toEqual([])
})

test('the webhook restores a removed caBundle', async () => {
  const before = await caBundle()
  const patch = '[{"op":"remove","path":"/webhooks/0/clientConfig/caBundle"}]'
  const configuration = ['mutatingwebhookconfiguration', RELEASE]
  await kubectl(['patch', ...configuration, '--type=json', '-p', patch])
  const restored = eventually('the caBundle is there', async () => (await caBundle()) || undefined)
  expect(await restored).toBe(before)
})

test('the webhook creates a deleted Secret again, and a new replica starts with it', async () => {
  await own.kubectl(['delete', 'secret', `${RELEASE}-tls`])
  await own.kubectl(['rollout', 'restart', `deployment/${RELEASE}`])
  await own.kubectl(['rollout', 'status', `deployment/${RELEASE}`, '--timeout=90s'])
  expect(await own.field(`secret ${RELEASE}-tls`, '{.data}')).toContain('tls.crt')
})

test('the webhook’s ServiceAccount can change only the caBundle, and create only its own Secret', async () => {
  const as = `--as=system:serviceaccount:wimds:${RELEASE}`
  const configuration = ['mutatingwebhookconfiguration', RELEASE]
  const patch = '[{"op":"replace","path":"/webhooks/0/failurePolicy","value":"Ignore"}]'
  await expect(
    kubectl([as, 'patch', ...configuration, '--type=json', '-p', patch]),
  ).rejects.toThrow('must change nothing of its configuration but the caBundle')
  await expect(
    own.kubectl([as, 'create', 'secret', 'generic', 'other', '--from-literal=a=b']),
  ).rejects.toThrow('must create no Secret but its own')
  await expect(own.kubectl([as, 'get', 'serviceaccounts'])).rejects.toThrow('Forbidden')
})

test('the webhook serves on the network of its node, also through an upgrade', async () => {
  await kubectl(['label', '--overwrite', 'namespace', 'wimds', `${ENFORCE}=privileged`])
  const flags = ['--namespace=wimds', '--wait', '--timeout=90s', '--reuse-values']
  const onNode = ['--set=hostNetwork=true,webhook.port=10260,replicaCount=1']
  await helm('upgrade', RELEASE, CHART, ...flags, ...onNode)
  await eventually('the only pod has the address of its node', async () => {
    const addresses = (await own.field('nodes', NODE_ADDRESSES)).split(' ')
    expect(addresses).toContain(await own.field('pods', '{.items[*].status.podIP}'))
    return true
  })
  await untilWebhookServes()
  expect(await cluster.namespace.kubectl(DRY_RUN, stringify(pod('on-node', OPT_IN)))).toContain(
    'wimds-token',
  )
  await helm('upgrade', RELEASE, CHART, ...flags, ...onNode, '--set=podAnnotations.changed=again')
})

test('without the webhook, the API server rejects pods that opt in and admits all others', async () => {
  await own.kubectl(['scale', 'deployment', RELEASE, '--replicas=0'])
  const pods = ['pod', '-l', 'app.kubernetes.io/name=wimds', '--timeout=60s']
  await own.kubectl(['wait', '--for=delete', ...pods])
  await expect(cluster.namespace.create(pod('opted-in-again', OPT_IN))).rejects.toThrow(
    /failed calling webhook/,
  )
  const proxy = 'azure.workload.identity/inject-proxy-sidecar'
  await expect(cluster.namespace.create(pod('azwi', { [proxy]: 'true' }))).rejects.toThrow(
    /failed calling webhook/,
  )
  await cluster.namespace.create(pod('not-opted-in'))
  await cluster.namespace.create(pod('not-for-azwi', { [proxy]: 'false' }))
  const labels = { 'azure.workload.identity/use': 'true' }
  await cluster.namespace.create(pod('of-azwi', { [proxy]: 'true' }, { labels }))
})
