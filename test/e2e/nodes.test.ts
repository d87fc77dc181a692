/** Several nodes: pods that move, a drain, an upgrade of the node agent, and a node that is lost. This file runs last. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { AROUND } from './support/around.ts'
import { CHART, helm, installChart, RELEASE } from './support/chart.ts'
import { testCluster } from './support/cluster.ts'
import { LOSE_NODE } from './support/environment.ts'
import { eventually } from './support/eventually.ts'
import { startLoad } from './support/load.ts'
import { AGENT_VALUES, uninstallAgent } from './support/node-agent.ts'
import { schedulableNodes } from './support/nodes.ts'
import { needLostNode, needTwoNodes } from './support/requirements.ts'
import { kubectl, run } from './support/run.ts'
import {
  ACCOUNT,
  appPod,
  CLIENT,
  curl,
  type Mode,
  replyIn,
  STAY,
  TOKEN_PATH,
} from './support/workloads.ts'

const NAMESPACE = 'wimds-e2e-nodes'
const HOSTNAME = 'kubernetes.io/hostname'
/** The modes of two pods: one has a sidecar, and the broker of its node serves the other one. */
const MODES = ['loopback', 'node'] as const
const SELECTOR = `--selector=app in (${MODES.map((mode) => `mobile-${mode}`).join(',')})`

const cluster = testCluster(NAMESPACE)
/** The node that runs the simulated Entra ID. */
let staying: string
/** The node that is drained and lost. */
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
    await uninstallAgent()
    await installChart(CHART, undefined, AGENT_VALUES)
    await cluster.namespace.create(ACCOUNT)
  })
  afterAll(async () => {
    if (staying === undefined) return
    await kubectl(['uncordon', leaving])
    // The check before the uninstall accepts terminating pods. The pods of a lost node terminate for ever.
    await cluster.namespace.kubectl(['delete', 'deployments,pods', '--all', '--wait=false'])
    await helm('uninstall', RELEASE, '--namespace=wimds')
  })

  test('run an injected pod and a replica of the webhook each', async () => {
    await cluster.namespace.create(...MODES.map(mobileApp))
    await rolledOut()
    for (const mode of MODES) {
      const placed = (await podsOf()).filter(({ name }) => name.startsWith(`mobile-${mode}`))
      expect(new Set(placed.map(({ node }) => node))).toEqual(new Set([staying, leaving]))
    }
    await expectTokens()
    const path = '--output=jsonpath={.items[*].spec.nodeName}'
    const label = '--selector=app.kubernetes.io/name=wimds'
    const replicas = await kubectl(['get', 'pods', '--namespace=wimds', label, path])
    expect(new Set(replicas.split(' ')).size).toBe(2)
  })

  test('no creation of a pod fails while a node is drained', async () => {
    await restart()
    const load = startLoad(cluster.namespace, injectedPod('load', 'loopback'))
    const flags = ['--ignore-daemonsets', '--delete-emptydir-data', '--force', '--timeout=150s']
    await kubectl(['drain', leaving, ...flags])
    await rolledOut()
    expect(await load.stop()).toEqual([])
    await expectTokensOnStaying()
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

  describe('when one is lost', () => {
    needLostNode()

    test('pods are admitted again, and start with their tokens on the other node', async () => {
      await restart()
      await run('bash', ['-c', `NODE='${leaving}'; ${LOSE_NODE}`])
      await kubectl(['wait', `node/${leaving}`, '--for=condition=Ready=Unknown', '--timeout=150s'])
      await eventually('all pods are on the node that is left', expectTokensOnStaying, {
        withinMs: 180_000,
        everyMs: 2000,
      })
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

const evictedAfter = (key: string) => ({
  key: `node.kubernetes.io/${key}`,
  operator: 'Exists',
  effect: 'NoExecute',
  tolerationSeconds: 2,
})
/** Returns a Deployment of two replicas. They run on different nodes if possible, and leave a lost node after 2 s. */
function mobileApp(mode: Mode) {
  const { metadata, spec } = injectedPod(`mobile-${mode}`, mode)
  const { name, labels, annotations } = metadata
  const selector = { matchLabels: labels }
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name },
    spec: {
      replicas: 2,
      // The scheduler must not count replicas of the earlier generation when it spreads the later ones.
      strategy: { type: 'Recreate' },
      selector,
      template: {
        metadata: { labels, annotations },
        spec: {
          ...spec,
          terminationGracePeriodSeconds: 2,
          tolerations: ['not-ready', 'unreachable'].map(evictedAfter),
          topologySpreadConstraints: [
            {
              maxSkew: 1,
              topologyKey: HOSTNAME,
              whenUnsatisfiable: 'ScheduleAnyway',
              labelSelector: selector,
            },
          ],
        },
      },
    },
  }
}

/** Waits until all replicas are ready. */
async function rolledOut(): Promise<void> {
  for (const mode of MODES) {
    const status = ['rollout', 'status', `deployment/mobile-${mode}`, '--timeout=120s']
    await cluster.namespace.kubectl(status)
  }
}

/** Replaces all replicas. */
async function restart(): Promise<void> {
  const names = MODES.map((mode) => `deployment/mobile-${mode}`)
  await cluster.namespace.kubectl(['rollout', 'restart', ...names])
  await rolledOut()
}

async function podsOf() {
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

/** Expects that each pod got a token of its identity at its first try. */
async function expectTokens(): Promise<void> {
  for (const { name, isDeleted } of await podsOf()) {
    if (isDeleted) continue
    const { status, body } = replyIn(await cluster.namespace.logs(name))
    expect(status).toBe(200)
    expect(await cluster.entra.clientIdOf(body['access_token'])).toBe(CLIENT)
  }
}

/** Expects that all pods are on the node that stays, and have their tokens. */
async function expectTokensOnStaying(): Promise<true> {
  const placed = (await podsOf()).filter(({ isDeleted }) => !isDeleted)
  expect(placed.map(({ node }) => node)).toEqual(placed.map(() => staying))
  expect(placed).toHaveLength(2 * MODES.length)
  await expectTokens()
  return true
}
