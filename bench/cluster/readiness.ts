/** From creating a pod to its being ready: alone, and injected in each mode. */
import { setTimeout as sleep } from 'node:timers/promises'
import { type TestNamespace, testNamespace } from '../../test/e2e/support/namespace.ts'
import {
  appPod,
  injectedPods,
  type Mode,
  serviceAccount,
  STAY,
} from '../../test/e2e/support/workloads.ts'
import { type Figure, median } from '../figures.ts'

const ROUNDS = 7
const MODES: readonly Mode[] = ['env', 'loopback', 'nft']
const ACCOUNT = serviceAccount('app', '11111111-1111-4111-8111-111111111111')

const pod = (name: string) => appPod({ name, account: 'app', script: STAY })

/** Pods of each kind in turn, one at a time, so that what else the machine does meets all kinds. */
export async function readiness(): Promise<readonly Figure[]> {
  await using namespace = await testNamespace('wimds-bench-readiness')
  await namespace.create(ACCOUNT)
  const alone: number[] = []
  const injected = new Map<Mode, number[]>(MODES.map((mode) => [mode, []]))
  for (let round = 0; round < ROUNDS; round += 1) {
    alone.push(await readyMs(namespace, `alone-${round}`, pod(`alone-${round}`)))
    for (const [mode, times] of injected) {
      const name = `${mode}-${round}`
      const manifest = await injectedPods(mode, [ACCOUNT], [pod(name)])
      times.push(await readyMs(namespace, name, manifest))
    }
  }
  const bare = median(alone)
  const bar = { text: '≤ 1.5 × alone + 3 s', limit: 1.5 * bare + 3000 }
  return [...injected].map(([mode, times]) => ({
    name: `pod created → ready, mode ${mode}`,
    unit: 'ms',
    wimds: median(times),
    bare,
    bar,
  }))
}

/** One pod's time, begun at no particular moment of the second in which the kubelet looks again. */
async function readyMs(
  namespace: TestNamespace,
  name: string,
  manifest: object | string,
): Promise<number> {
  await sleep(Math.random() * 1000)
  const begin = performance.now()
  await namespace.create(manifest)
  await namespace.ready(name)
  const took = performance.now() - begin
  await namespace.kubectl(['delete', 'pod', name, '--now'])
  return took
}
