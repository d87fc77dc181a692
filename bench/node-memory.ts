/** The cost of mode node on a node: the memory of agent and brokers, and the duration of their restart. */
import { execFile } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { findBrokers } from '../test/node/agent/test-node.ts'
import { atMost, type Figure, median } from './figures.ts'
import { type BenchNode, type BenchPod, inPod, PORT, startNode, TOKEN } from './node.ts'
import { privateMib } from './processes.ts'

const NAMESPACES = Array.from({ length: 30 }, (_, at) => `namespace-${at}`)
const MORE_PODS = 8
/** The time between the last request and the measurement of memory. */
const IDLE_MS = 20_000

/** Measures one node with thirty namespaces. */
export async function nodeMemory(): Promise<readonly Figure[]> {
  await using node = await startNode(NAMESPACES)
  const pods: BenchPod[] = []
  for (const namespace of NAMESPACES) pods.push(await node.createPod(namespace))
  await node.agent().logged('pod_routed', NAMESPACES.length)
  for (const pod of pods) await askToken(pod)
  await sleep(IDLE_MS)
  const { pid } = node.agent()
  const agent = await privateMib({ pid })
  const brokers = await measureBrokers(node)
  const more: BenchPod[] = []
  for (let at = 0; at < MORE_PODS; at += 1) more.push(await node.createPod('namespace-0'))
  await node.agent().logged('pod_routed', NAMESPACES.length + MORE_PODS)
  for (const pod of more) await askToken(pod)
  await sleep(IDLE_MS)
  const ofPods =
    sum(await measureBrokers(node)) + (await privateMib({ pid })) - sum(brokers) - agent
  for (const pod of more) await pod.remove()
  const restarted = await measureRestart(node, pods)
  return [
    {
      name: 'mode node, agent of 30 namespaces: private memory',
      unit: 'MiB',
      wimds: agent,
      bar: atMost(45, 'MiB'),
    },
    {
      name: 'the same, one namespace, after its first token',
      unit: 'MiB',
      wimds: median(brokers),
      bar: atMost(26, 'MiB'),
    },
    {
      name: 'the same, one more pod',
      unit: 'MiB',
      wimds: ofPods / MORE_PODS,
      bar: atMost(0.5, 'MiB'),
    },
    {
      name: 'the same, agent killed: all namespaces have a token again',
      unit: 's',
      wimds: restarted,
      bar: atMost(10, 's'),
    },
  ]
}

/** Kills the agent, and returns after how many seconds all pods have a token again. */
async function measureRestart(node: BenchNode, pods: readonly BenchPod[]): Promise<number> {
  const startedAt = performance.now()
  await node.restart()
  await node.agent().logged('pod_routed', pods.length)
  for (const pod of pods) await askToken(pod)
  return (performance.now() - startedAt) / 1000
}

/** Throws if the pod gets no token. Does not block: Entra ID is in this process. */
async function askToken(pod: BenchPod): Promise<void> {
  const url = `http://127.0.0.1:${PORT}${TOKEN}`
  const curl = ['curl', '-sf', '-m', '60', '-o', '/dev/null', '-H', 'Metadata: true', url]
  await promisify(execFile)('nsenter', inPod(pod, ...curl))
}

const measureBrokers = (node: BenchNode) =>
  Promise.all(findBrokers(node.agent().pid).map((pid) => privateMib({ pid })))

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0)
