/** Several nodes: pods that move, a drain, an upgrade of the node agent, and a node that is lost. Runs last. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { AROUND } from './support/around.ts'
import { CHART, helm, installChart, RELEASE } from './support/chart.ts'
import { testCluster } from './support/cluster.ts'
import { LOSE_NODE, NETNS_DIRECTORY } from './support/environment.ts'
import { eventually } from './support/eventually.ts'
import { startLoad } from './support/load.ts'
import { needLostNode, needTwoNodes, schedulableNodes } from './support/requirements.ts'
import { kubectl, run } from './support/run.ts'
import {
  appPod,
  curl,
  type Mode,
  replyIn,
  serviceAccount,
  STAY,
  TOKEN_PATH,
} from './support/workloads.ts'

const NAMESPACE = 'wimds-e2e-nodes'
const CLIENT = '11111111-1111-4111-8111-111111111111'
const HOSTNAME = 'kubernetes.io/hostname'
const SELECTOR = '--selector=app=mobile'

const cluster = testCluster(NAMESPACE, {
  clientId: CLIENT,
  serviceAccounts: [`${NAMESPACE}:app`],
})
/** The node of the simulated Entra ID, which stays, and another one. */
let staying: string
let leaving: string

describe('two nodes', () => {
  needTwoNodes()

  beforeAll(async () => {
    const nodes = await schedulableNodes()
    if (nodes.length < 2) return
    const path = '--output=jsonpath={.spec.nodeName}'
    staying = await kubectl(['get', 'pod', 'entra', `--namespace=${AROUND}`, path])
    leaving = nodes.findLast((node) => node !== staying) ?? ''
    await cluster.another('wimds', 'restricted')
    const directory = NETNS_DIRECTORY && `--set=nodeAgent.netnsDirectory=${NETNS_DIRECTORY}`
    const values = ['--set=nodeAgent.enabled=true', directory ?? []].flat()
    await installChart(CHART, undefined, values)
    await cluster.namespace.create(serviceAccount('app', CLIENT))
  })
  afterAll(async () => {
    if (staying === undefined) return
    await kubectl(['uncordon', leaving])
    await helm('uninstall', RELEASE, '--namespace=wimds')
  })

  test('has an injected pod on each, and a replica of the webhook', async () => {
    await cluster.namespace.create(mobileApp)
    await cluster.namespace.kubectl(['rollout', 'status', 'deployment/mobile', '--timeout=120s'])
    const placed = await podsOf()
    expect(new Set(placed.map(({ node }) => node))).toEqual(new Set([staying, leaving]))
    await expectTokens()
    const path = '--output=jsonpath={.items[*].spec.nodeName}'
    const label = '--selector=app.kubernetes.io/name=wimds'
    const replicas = await kubectl(['get', 'pods', '--namespace=wimds', label, path])
    expect(new Set(replicas.split(' ')).size).toBe(2)
  })

  test('a pod that moves to the other node gets a token there', async () => {
    const moved = (await podsOf()).find(({ node }) => node === leaving)
    await kubectl(['cordon', leaving])
    await cluster.namespace.kubectl(['delete', 'pod', String(moved?.name), '--wait'])
    await cluster.namespace.kubectl(['rollout', 'status', 'deployment/mobile', '--timeout=120s'])
    expect((await podsOf()).map(({ node }) => node)).toEqual([staying, staying])
    await expectTokens()
    await kubectl(['uncordon', leaving])
  })

  test('no creation of a pod fails while a node is drained', async () => {
    await cluster.namespace.kubectl(['rollout', 'restart', 'deployment/mobile'])
    await cluster.namespace.kubectl(['rollout', 'status', 'deployment/mobile', '--timeout=120s'])
    const load = startLoad(cluster.namespace, injectedPod('load', 'loopback'))
    const flags = ['--ignore-daemonsets', '--delete-emptydir-data', '--force', '--timeout=150s']
    await kubectl(['drain', leaving, ...flags])
    await cluster.namespace.kubectl(['rollout', 'status', 'deployment/mobile', '--timeout=120s'])
    expect(await load.stop()).toEqual([])
    expect((await podsOf()).map(({ node }) => node)).toEqual([staying, staying])
    await expectTokens()
    await kubectl(['uncordon', leaving])
  }, 300_000)

  test('an upgrade of the node agent lets no pod of either node start without its route', async () => {
    const upgrade = helm(
      'upgrade',
      RELEASE,
      CHART,
      '--namespace=wimds',
      '--reuse-values',
      '--set=nodeAgent.podAnnotations.changed=again',
    )
    const names = Array.from({ length: 8 }, (_, index) => `upgrade-${index}`)
    for (const [index, name] of names.entries()) {
      const node = index % 2 === 0 ? staying : leaving
      await cluster.namespace.create(injectedPod(name, 'node', { [HOSTNAME]: node }))
    }
    await upgrade
    const agent = `daemonset/${RELEASE}-node-agent`
    const status = ['--namespace=wimds-node-agent', 'rollout', 'status', agent, '--timeout=120s']
    await kubectl(status)
    for (const name of names) {
      await cluster.namespace.ready(name, 120)
      expect(await cluster.reply(name)).toMatchObject({ status: 200 })
    }
  }, 300_000)

  describe('of which one is lost', () => {
    needLostNode()

    test('pods are admitted again, and start with their tokens on the other node', async () => {
      await cluster.namespace.kubectl(['rollout', 'restart', 'deployment/mobile'])
      await cluster.namespace.kubectl(['rollout', 'status', 'deployment/mobile', '--timeout=120s'])
      await run('bash', ['-c', `NODE='${leaving}'; ${LOSE_NODE}`])
      await kubectl(['wait', `node/${leaving}`, '--for=condition=Ready=Unknown', '--timeout=150s'])
      await eventually(
        'both pods are on the node that is left',
        async () => {
          const placed = (await podsOf()).filter(({ isDeleted }) => !isDeleted)
          expect(placed.map(({ node }) => node)).toEqual([staying, staying])
          return await expectTokens()
        },
        { withinMs: 180_000, everyMs: 2000 },
      )
      const load = startLoad(cluster.namespace, injectedPod('load', 'loopback'))
      expect(await load.stop()).toEqual([])
    }, 500_000)
  })
})

const injectedPod = (name: string, mode: Mode, nodeSelector: Record<string, string> = {}) =>
  appPod({
    name,
    account: 'app',
    script: `${curl(TOKEN_PATH)}; ${STAY}`,
    annotations: { 'wimds.io/inject': 'true', 'wimds.io/mode': mode },
    spec: { nodeSelector },
  })

const mobilePod = injectedPod('mobile', 'loopback')
const evictedAfter = (key: string) => ({
  key: `node.kubernetes.io/${key}`,
  operator: 'Exists',
  effect: 'NoExecute',
  tolerationSeconds: 2,
})
/** Two replicas, on different nodes where that is possible, which leave a node that is lost. */
const mobileApp = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'mobile' },
  spec: {
    replicas: 2,
    // Replicas of the earlier generation do not count in where the later ones are placed.
    strategy: { type: 'Recreate' },
    selector: { matchLabels: mobilePod.metadata.labels },
    template: {
      metadata: { labels: mobilePod.metadata.labels, annotations: mobilePod.metadata.annotations },
      spec: {
        ...mobilePod.spec,
        terminationGracePeriodSeconds: 2,
        tolerations: ['not-ready', 'unreachable'].map(evictedAfter),
        topologySpreadConstraints: [
          {
            maxSkew: 1,
            topologyKey: HOSTNAME,
            whenUnsatisfiable: 'ScheduleAnyway',
            labelSelector: { matchLabels: mobilePod.metadata.labels },
          },
        ],
      },
    },
  },
}

interface PlacedPod {
  readonly name: string
  readonly node: string
  readonly isDeleted: boolean
}

async function podsOf(): Promise<readonly PlacedPod[]> {
  const { items }: PodList = JSON.parse(
    await cluster.namespace.kubectl(['get', 'pods', SELECTOR, '--output=json']),
  )
  return items.map(({ metadata, spec }) => ({
    name: metadata.name,
    node: spec.nodeName ?? '',
    isDeleted: metadata.deletionTimestamp !== undefined,
  }))
}
interface PodList {
  readonly items: readonly {
    readonly metadata: { readonly name: string; readonly deletionTimestamp?: string }
    readonly spec: { readonly nodeName?: string }
  }[]
}

/** Expects that each pod of the application got a token of its identity at its first try. */
async function expectTokens(): Promise<true> {
  for (const { name, isDeleted } of await podsOf()) {
    if (isDeleted) continue
    const { status, body } = replyIn(await cluster.namespace.logs(name))
    expect(status).toBe(200)
    expect(await cluster.entra.clientIdOf(body['access_token'])).toBe(CLIENT)
  }
  return true
}
