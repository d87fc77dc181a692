/** Decides when the agent of a node is ready, so that the rollout of the DaemonSet goes on with the next node. */
import type { Brokers } from './brokers.ts'
import type { Reconciler } from './reconciler.ts'
import { MAX_WAIT_MS, type Succession } from './succession.ts'

interface AgentState {
  readonly brokers: Brokers
  readonly reconciler: Reconciler
  readonly succession: Succession
}

/** Returns why the agent is not ready; undefined if it is. `isListed`: the agent has listed the pods of the node. */
export function findReadinessProblem(
  isListed: boolean,
  { brokers, reconciler, succession }: AgentState,
): string | undefined {
  const all = brokers.all()
  // A broker that has been ready ends when it has no pods, so an agent without brokers can be ready.
  if (all.length > 0 && !all.some(({ isReady }) => isReady)) {
    const failure = all.find((broker) => broker.failure)?.failure
    return `no broker runs${failure === undefined ? ' yet' : `: ${failure}`}`
  }
  if (!isListed) return 'the pods of the node have not been listed yet'
  const isLate = process.uptime() * 1000 > MAX_WAIT_MS
  if (reconciler.isSettled(succession.isWaiting, isLate)) return undefined
  return succession.isWaiting
    ? 'tokens that the earlier agent of the node holds have not been fetched yet'
    : 'the pods of the node are not served yet'
}
