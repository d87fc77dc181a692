/** Ends an agent. Another agent of the node serves its pods now, or soon. */
import { closeSync, fstatSync, openSync } from 'node:fs'
import type { Semaphore } from '../../lib/semaphore.ts'
import { createRestartRule } from '../../redirect/ruleset.ts'
import { type RunOptions, runTool } from '../../redirect/run-tool.ts'
import type { Brokers } from './brokers.ts'
import { HELPER } from './helper.ts'
import type { NodePod } from './node-pod.ts'
import type { Reconciler } from './reconciler.ts'
import type { Succession } from './succession.ts'

interface RunningAgent {
  readonly reconciler: Reconciler
  readonly succession: Succession
  readonly brokers: Brokers
  readonly tools: RunOptions
  readonly limitTools: Semaphore
  readonly onError: (error: unknown) => void
}

/** How long brokers may take for their last answers if there is no other agent: new connections of the node wait as long. */
const LAST_ANSWERS_MS = 2000
/** The time limit for the last rules, within the grace period of the agent's pod. A successor waits longer for its answer. */
const END_ROUTES_MS = 4000
/** An agent that restarts is back by then. */
const LAST_WAIT_SECONDS = 60

/** Ends the attempts, the routes and the brokers of an agent. The brokers first answer the requests that they have received. */
export async function endAgent(agent: RunningAgent): Promise<void> {
  const { reconciler, succession, brokers } = agent
  reconciler.close()
  // Comes before `succession.close`: an agent that starts during this work loads its rules after these.
  if (!succession.hasOther) await succession.answerAfter(() => endRoutes(agent))
  const hasOther = succession.close()
  for (const { route } of reconciler.pods.values()) route?.socket.close()
  await brokers.stop(hasOther ? undefined : LAST_ANSWERS_MS)
}

/**
 * Lets new connections of the pods wait for one minute more. After that the kernel refuses them, since no agent may follow. A
 * later agent routes the pods again. The redirect stays: without it a pod would get the identity of its node.
 */
async function endRoutes({ reconciler, limitTools, tools, onError }: RunningAgent): Promise<void> {
  const options = { ...tools, signal: AbortSignal.timeout(END_ROUTES_MS) }
  const ends = [...reconciler.pods.values()].map((pod) =>
    limitTools(() => endRoute(pod, options)).catch(onError),
  )
  await Promise.all(ends)
}

async function endRoute({ pod, route }: NodePod, options: RunOptions): Promise<void> {
  if (route === undefined) return
  const namespace = openSync(route.path, 'r')
  try {
    if (fstatSync(namespace).ino !== route.namespace) return
    const input = createRestartRule(pod, LAST_WAIT_SECONDS)
    const step = { argv: [HELPER, 'run', 'nft', '-f', '-'], input } as const
    // The helper enters the network namespace of its descriptor 4.
    await runTool(step, options, ['ignore', namespace])
  } finally {
    closeSync(namespace)
  }
}
