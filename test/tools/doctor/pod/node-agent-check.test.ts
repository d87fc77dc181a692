import { expect, test } from 'vitest'
import { endUnmade } from '../../../../src/tools/doctor/findings.ts'
import { createKubectl } from '../../../../src/tools/doctor/kubectl.ts'
import { checkNodeAgent } from '../../../../src/tools/doctor/pod/node-agent-check.ts'
import type { ClusterPod } from '../../../../src/tools/doctor/pod-object.ts'
import { captureIo } from '../../capture.ts'
import { fakeKubectl, type KubectlAnswer } from '../../../fixtures/kubectl.ts'

const RUNNING = { running: {} }

const waitingPod = (): ClusterPod => ({
  metadata: { name: 'orders', namespace: 'shop', creationTimestamp: '' },
  spec: { containers: [], nodeName: 'node-1' },
  status: { initContainerStatuses: [{ name: 'wimds-gate', state: RUNNING }] },
})

const metadata = { namespace: 'wimds-node-agent', name: 'wimds-node-agent-x' }
const volumes = [{ name: 'kubelet-pods', hostPath: { path: '/var/lib/kubelet/pods' } }]
const agentSpec = { nodeName: 'node-1', containers: [{ name: 'wimds-node-agent' }], volumes }
const agentPod = (state: object, ready = true) => ({
  metadata,
  spec: agentSpec,
  status: { containerStatuses: [{ name: 'wimds-node-agent', state, ready }] },
})

interface Cluster {
  readonly pods?: readonly object[] | string
  readonly events?: readonly object[]
}

/** Returns the answer with these objects; with a text, as kubectl fails: it prints an empty list first. */
const answer = (call: string, items: readonly object[] | string): KubectlAnswer =>
  typeof items === 'string'
    ? { call, code: 1, stdout: JSON.stringify({ items: [] }), stderr: items }
    : { call, stdout: JSON.stringify({ items }) }

const FORBIDDEN = 'pods "wimds-node-agent-x" is forbidden'
const readForwarded = async () => endUnmade(FORBIDDEN)

/** Runs the check with these answers of kubectl. */
async function check(
  { pods = [], events = [] }: Cluster,
  { pod = waitingPod(), isServed = false } = {},
) {
  using fake = fakeKubectl([answer('get pods', pods), answer('get events', events)])
  const kubectl = createKubectl({ io: captureIo(fake.env) })
  const options = { kubectl, readForwarded, pod, isServed }
  const {
    checks: [outcome, ...others],
  } = await checkNodeAgent(options)
  if (outcome === undefined) throw new Error('no finding')
  return { outcome, others, calls: await fake.calls() }
}

test('passes for an agent that runs, and says why the status of the pod was not read', async () => {
  const { outcome, others } = await check({ pods: [agentPod(RUNNING)] }, { isServed: true })
  expect(outcome).toEqual({
    check: 'node_agent',
    status: 'ok',
    details: [
      'the node agent wimds-node-agent/wimds-node-agent-x on the node node-1 runs',
      'status of its pods: kubectl port-forward --namespace wimds-node-agent wimds-node-agent-x 9441, and open http://127.0.0.1:9441/status',
    ],
  })
  expect(new Set(others.map(({ reason }) => reason))).toEqual(new Set([FORBIDDEN]))
})

const OTHER = { ...agentPod(RUNNING), spec: { containers: [{ name: 'node-agent' }], volumes } }
const IMPOSTOR = { ...agentPod(RUNNING), spec: { containers: agentSpec.containers } }

test.each([
  ['no pod', [], false],
  ['the agent of another product', [OTHER], false],
  ['a pod of its name without rights on the node', [IMPOSTOR], true],
])('names the node without an agent, which has %s', async (_, pods, isServed) => {
  const { outcome, calls } = await check({ pods }, { isServed })
  expect(outcome).toMatchObject({
    status: 'failed',
    failure: {
      code: 'node_agent_missing',
      problem: expect.stringContaining('no node agent runs on the node node-1'),
      fix: expect.stringContaining('nodeAgent.enabled=true'),
    },
  })
  expect(calls[0]).toContain('--field-selector=spec.nodeName=node-1')
})

test('says why the agent of the node does not run', async () => {
  const { outcome } = await check({
    pods: [agentPod({ waiting: { reason: 'CrashLoopBackOff' } })],
  })
  expect(outcome.failure).toMatchObject({
    code: 'node_agent_not_running',
    problem: expect.stringMatching(/wimds-node-agent-x on the node node-1 .*CrashLoopBackOff/),
    fix: expect.stringContaining(
      'kubectl describe pod --namespace wimds-node-agent wimds-node-agent-x',
    ),
  })
})

/** An agent of a node that has two during a rollout. */
function agentOf(
  name: string,
  { state = RUNNING, ready = true, ...own }: { state?: object; ready?: boolean } & object,
) {
  const status = { containerStatuses: [{ name: 'wimds-node-agent', state, ready }] }
  return { metadata: { ...metadata, name, ...own }, spec: agentSpec, status }
}

const at = (hour: number) => ({ creationTimestamp: `2026-11-28T0${hour}:00:00Z` })
const ENDING = { deletionTimestamp: '2026-11-28T09:00:00Z' }
const CREATING = { waiting: { reason: 'ContainerCreating' } }
const UNREADY = { ready: false }

test.each([
  ['runs', agentOf('asked', at(1)), agentOf('other', { ...at(2), ...UNREADY, state: CREATING })],
  ['is ready', agentOf('asked', at(1)), agentOf('other', { ...at(2), ...UNREADY })],
  ['is not deleted', agentOf('asked', at(1)), agentOf('other', { ...at(2), ...ENDING })],
  ['is newer', agentOf('asked', at(2)), agentOf('other', at(1))],
  ['still runs', agentOf('asked', ENDING), agentOf('other', { state: CREATING })],
])('asks the agent that %s, of two during a rollout', async (_, asked, other) => {
  for (const pods of [
    [asked, other],
    [other, asked],
  ]) {
    const { outcome } = await check({ pods })
    expect(outcome.failure?.problem).toContain('the node agent wimds-node-agent/asked ')
  }
})

test('has the reason and the fix of the last event of the agent', async () => {
  const { outcome, calls } = await check({
    pods: [agentPod(RUNNING)],
    events: [
      { message: 'older' },
      { message: 'nft is not in the PATH. Fix: use the image of wimds-redirect' },
    ],
  })
  expect(outcome.failure).toMatchObject({
    code: 'pod_not_routed',
    problem: expect.stringContaining(
      'on the node node-1 does not serve the pod: nft is not in the PATH. Fix: use the image of wimds-redirect',
    ),
    fix: expect.stringContaining('kubectl logs'),
  })
  expect(calls.at(-1)).toMatch(/^get events .*involvedObject\.name=orders,reason=WimdsNotRouted/)
})

test('leads to the log of an agent that has said nothing', async () => {
  const { outcome } = await check({ pods: [agentPod(RUNNING)] })
  expect(outcome.failure).toMatchObject({
    code: 'pod_not_routed',
    problem: expect.stringContaining('does not serve the pod yet'),
    fix: expect.stringMatching(
      /kubectl logs --namespace wimds-node-agent wimds-node-agent-x, .*kubectl describe pod --namespace shop orders/,
    ),
  })
})

test.each<[string, Cluster, ClusterPod]>([
  ['its agents may not be listed', { pods: 'Error from server (Forbidden): no' }, waitingPod()],
  ['it has no node', {}, { ...waitingPod(), spec: { containers: [] } }],
])('is not checked if %s', async (_, cluster, pod) => {
  const { outcome } = await check(cluster, { pod })
  expect(outcome).toMatchObject({ status: 'not_checked', reason: expect.any(String) })
})

test('says that the agent is not ready', async () => {
  const { outcome } = await check({ pods: [agentPod(RUNNING, false)] })
  expect(outcome.failure?.problem).toMatch(/, which is not ready, does not serve the pod yet$/)
})
