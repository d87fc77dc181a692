/** The chart and its webhook: installed, asked, renewed, upgraded under load, and gone. */
import { setTimeout as sleep } from 'node:timers/promises'
import { beforeAll, describe, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { CHART, helm, installChart, RELEASE } from './support/chart.ts'
import { testCluster } from './support/cluster.ts'
import { eventually } from './support/eventually.ts'
import type { TestNamespace } from './support/namespace.ts'
import { kubectl } from './support/run.ts'
import { appPod, curl, replyIn, serviceAccount, STAY, TOKEN_PATH } from './support/workloads.ts'

const NAMESPACE = 'wimds-e2e-webhook'
const CLIENT = '11111111-1111-4111-8111-111111111111'
const ASKING = { 'wimds.io/inject': 'true' }

const cluster = testCluster(NAMESPACE, {
  clientId: CLIENT,
  serviceAccounts: [`${NAMESPACE}:app`],
})
let own: TestNamespace

beforeAll(async () => {
  // The webhook's own namespace enforces restricted: its pods have to be admitted there.
  own = await cluster.another('wimds', 'restricted')
  await installChart()
  await cluster.namespace.create(serviceAccount('app', CLIENT))
})

const pod = (name: string, annotations: Record<string, string> = {}, more: object = {}) =>
  appPod({ name, account: 'app', script: `${curl(TOKEN_PATH)}; ${STAY}`, annotations, ...more })

const containersOf = async (name: string) => {
  const names = 'jsonpath={.spec.initContainers[*].name} {.spec.containers[*].name}'
  return (await cluster.namespace.kubectl(['get', 'pod', name, '-o', names])).trim().split(/\s+/)
}

describe('admission', () => {
  test('a pod that asks is injected and gets its identity’s token', async () => {
    await cluster.namespace.create(pod('asking', ASKING, { initScript: curl(TOKEN_PATH) }))
    await cluster.namespace.ready('asking')
    expect(await containersOf('asking')).toEqual(['wimds', 'wimds-redirect', 'init', 'app'])
    for (const container of ['init', 'app']) {
      const { body } = replyIn(await cluster.namespace.logs('asking', container))
      expect(await cluster.entra.clientIdOf(String(body['access_token']))).toBe(CLIENT)
    }
  })

  test('a pod that asks the incumbent’s way is injected in mode env', async () => {
    const annotations = {
      'azure.workload.identity/inject-proxy-sidecar': 'true',
      'wimds.io/mode': 'env',
    }
    await cluster.namespace.create(pod('incumbent', annotations))
    expect(await containersOf('incumbent')).toEqual(['wimds', 'wimds-wait', 'app'])
  })

  test.each([
    ['says nothing', {}],
    ['opts out', { 'wimds.io/inject': 'false' }],
    [
      'asks the incumbent with a false value',
      { 'azure.workload.identity/inject-proxy-sidecar': 'false' },
    ],
  ])('a pod that %s is left as it is', async (_, annotations) => {
    const name = `plain-${Object.keys(annotations).length}-${Object.values(annotations).join('')}`
    const manifest = stringify(pod(name.replace(/-$/, ''), annotations))
    const args = ['create', '--dry-run=server', '-f', '-', '-o', 'json']
    expect(await cluster.namespace.kubectl(args, manifest)).not.toContain('wimds-token')
  })

  test('a refusal says what to change', async () => {
    const manifest = pod(
      'host',
      { ...ASKING, 'wimds.io/mdoe': 'nft' },
      { spec: { hostNetwork: true } },
    )
    const created = cluster.namespace.create(manifest)
    await expect(created).rejects.toThrow(/denied the request.*remove hostNetwork/s)
    await expect(cluster.namespace.create(manifest)).rejects.toThrow('wimds.io/mdoe is unknown')
  })

  test('a ServiceAccount made in the same breath is found', async () => {
    const account = serviceAccount('fresh', CLIENT)
    await cluster.namespace.create(
      account,
      appPod({ name: 'fresh', account: 'fresh', script: STAY, annotations: ASKING }),
    )
    const found = await cluster.namespace.get('pod', 'fresh')
    expect(JSON.stringify(found)).toContain(`"AZURE_CLIENT_ID","value":"${CLIENT}"`)
  })

  test('its metrics count the reviews', async () => {
    const label = 'app.kubernetes.io/name=wimds'
    const names = 'jsonpath={.items[*].metadata.name}'
    const replicas = (await own.kubectl(['get', 'pods', '-l', label, '-o', names])).split(' ')
    const scrapes = replicas.map((replica) =>
      kubectl(['get', '--raw', `/api/v1/namespaces/wimds/pods/${replica}:9440/proxy/metrics`]),
    )
    expect((await Promise.all(scrapes)).join('')).toMatch(
      /^wimds_webhook_review_duration_seconds_count\{outcome="injected"\} [1-9]/m,
    )
  })

  test('a pod in an excluded namespace is left as it is', async () => {
    const manifest = stringify(appPod({ name: 'excluded', script: STAY, annotations: ASKING }))
    const args = ['create', '--dry-run=server', '-f', '-', '-o', 'json']
    expect(await own.kubectl(args, manifest)).not.toContain('wimds-token')
  })
})

/** Creates pods by dry run, one after the other in two rows, until told to stop. */
function underLoad() {
  const manifest = stringify(pod('load', ASKING))
  const stopping = new AbortController()
  const failures: string[] = []
  let count = 0
  async function ask(): Promise<void> {
    const volumes = 'jsonpath={.spec.volumes[*].name}'
    while (!stopping.signal.aborted) {
      try {
        const args = ['create', '--dry-run=server', '-f', '-', '-o', volumes]
        const output = await cluster.namespace.kubectl(args, manifest)
        if (!output.includes('wimds-token')) failures.push('not injected')
      } catch (error) {
        failures.push(String(error))
      }
      count += 1
    }
  }
  const asking = Promise.all([ask(), ask()])
  return {
    async stop() {
      stopping.abort()
      await asking
      return { failures, count }
    },
  }
}

test('a new certificate is served without a restart and without a failed review', async () => {
  const bundle = ['get', 'mutatingwebhookconfiguration', RELEASE, '-o']
  const path = 'jsonpath={.webhooks[0].clientConfig.caBundle}'
  const before = await kubectl([...bundle, path])
  const load = underLoad()
  await own.kubectl(['patch', 'secret', `${RELEASE}-tls`, '--type=merge', '-p', '{"data":null}'])
  await eventually('both replicas serve the new certificate', async () => {
    const logs = await own.kubectl(['logs', '-l', 'app.kubernetes.io/name=wimds', '--tail=-1'])
    return logs.split('certificate_loaded').length > 4 ? logs : undefined
  })
  await sleep(1000)
  const { failures, count } = await load.stop()
  expect(failures).toEqual([])
  expect(count).toBeGreaterThan(10)
  const after = await kubectl([...bundle, path])
  expect(after).not.toBe(before)
  const restarts = 'jsonpath={.items[*].status.containerStatuses[*].restartCount}'
  expect(await own.kubectl(['get', 'pods', '-o', restarts])).toBe('0 0')
})

test('an upgrade under load refuses no pod', async () => {
  const load = underLoad()
  const flags = ['--namespace=wimds', '--wait', '--timeout=90s', '--reuse-values']
  await helm('upgrade', RELEASE, CHART, ...flags, '--set=podAnnotations.changed=yes')
  await sleep(5000)
  const { failures, count } = await load.stop()
  expect(failures).toEqual([])
  expect(count).toBeGreaterThan(20)
})

test('without its webhook a pod that asks is not let in, and any other is', async () => {
  await own.kubectl(['scale', 'deployment', RELEASE, '--replicas=0'])
  await own.kubectl([
    'wait',
    '--for=delete',
    'pod',
    '-l',
    'app.kubernetes.io/name=wimds',
    '--timeout=60s',
  ])
  await expect(cluster.namespace.create(pod('asking-nobody', ASKING))).rejects.toThrow(
    /failed calling webhook/,
  )
  await cluster.namespace.create(pod('not-asking'))
})

test('nothing is left after helm uninstall', async () => {
  await helm('uninstall', RELEASE, '--namespace=wimds', '--wait')
  const kinds = [
    'mutatingwebhookconfigurations,clusterroles,clusterrolebindings',
    'deployments,services,secrets,roles,rolebindings,networkpolicies,poddisruptionbudgets',
  ].join(',')
  const selector = 'app.kubernetes.io/instance=wimds'
  expect(await own.kubectl(['get', kinds, '-l', selector, '-o', 'name'])).toBe('')
  expect(await own.kubectl(['get', 'secrets', '-o', 'name'])).toBe('')
})
