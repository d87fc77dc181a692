/** From creating a pod to its being ready: alone, injected in each mode, and with the proxy that wimds replaces. */
import { testNamespace } from '../../test/e2e/support/namespace.ts'
import { type Figure, median } from '../figures.ts'
import { ACCOUNT, ALONE, INCUMBENT, type Kind } from './pods.ts'
import { createPods, deletePods } from './until-ready.ts'

const ROUNDS = 15
/** How often the kubelet looks at its pods. */
const LOOK_MS = 1000
/** The kubelet takes one step of a pod at each look: modes env and node add one step, the others two. */
const ONE_STEP_MS = 1200
const MOST_MORE_MS = new Map([
  ['env', ONE_STEP_MS],
  ['node', ONE_STEP_MS],
  ['loopback', 2200],
  ['nft', 2200],
])

/**
 * Measures pods of each kind in turn, one at a time, so that what else the machine does meets all kinds. The kubelet
 * looks at its pods once a second, so that a pod's time depends by up to a second on the moment of its creation: all
 * pods of a round are created at the same moment of that second, and the rounds divide it evenly.
 */
export async function readiness(kinds: readonly Kind[]): Promise<readonly Figure[]> {
  await using namespace = await testNamespace('wimds-bench-readiness')
  await namespace.create(ACCOUNT)
  const times = new Map<string, number[]>(kinds.map(({ name }) => [name, []]))
  let look = performance.now()
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const kind of kinds) {
      const moment = (earliest: number) => nextMoment(look, round / ROUNDS, earliest)
      const pod = await createPods(namespace, kind, [`pod-${round}`], moment)
      times.get(kind.name)?.push(...pod.times)
      process.stderr.write(
        `round ${round}  ${kind.name}  ${pod.times.map(Math.round).join(' ')} ms\n`,
      )
      look = pod.readyAt
      await deletePods(namespace)
    }
  }
  const medians = new Map([...times].map(([name, each]) => [name, median(each)]))
  const { [ALONE]: bare = 0, [INCUMBENT]: incumbent, ...wimds } = Object.fromEntries(medians)
  return Object.entries(wimds).map(([name, value]) => ({
    name: `pod created → ready, ${name}`,
    unit: 'ms',
    wimds: value,
    bare,
    ...(incumbent !== undefined && { incumbent }),
    ...createBar(name, bare, incumbent),
  }))
}

/** Returns the first moment, not before `earliest`, that is a number of seconds and this share of one after `look`. */
function nextMoment(look: number, share: number, earliest: number): number {
  const first = look + share * LOOK_MS
  return first + Math.ceil((earliest - first) / LOOK_MS) * LOOK_MS
}

/** How much later than the proxy, which takes as many steps: four of fifteen rounds may miss a look that it does not. */
const NOISE_MS = 250

/** Creates the bar of a kind: with as many steps as the proxy that they replace, pods have to be ready when it is. */
function createBar(name: string, bare: number, incumbent = Infinity): Pick<Figure, 'bar'> {
  const limit = bare + (MOST_MORE_MS.get(name) ?? Infinity)
  if (MOST_MORE_MS.get(name) !== ONE_STEP_MS && incumbent + NOISE_MS < limit) {
    return { bar: { text: `≤ Go proxy + ${NOISE_MS} ms`, limit: incumbent + NOISE_MS } }
  }
  return Number.isFinite(limit) ? { bar: { text: `≤ alone + ${limit - bare} ms`, limit } } : {}
}
