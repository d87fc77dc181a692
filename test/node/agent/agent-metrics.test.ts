import { expect, test } from 'vitest'
import { createNodeAgentMetrics, registerNodeState } from '../../../src/node/agent/agent-metrics.ts'

test('reads the pods and the longest wait at each scrape, in seconds', async () => {
  let pending = 1
  const metrics = createNodeAgentMetrics(new Map([['pod_not_routed', 7]]))
  registerNodeState(metrics.registry, {
    counts: () => ({ routed: 3, pending }),
    longestPendingMs: () => pending * 1500,
  })
  const scrape = async () => (await metrics.registry.metrics()).split('\n')
  expect(await scrape()).toEqual(
    expect.arrayContaining([
      'wimds_node_agent_pods{state="routed"} 3',
      'wimds_node_agent_pods{state="pending"} 1',
      'wimds_node_agent_longest_pending_seconds 1.5',
      'wimds_log_lines_dropped_total{event="pod_not_routed"} 7',
    ]),
  )
  pending = 0
  expect(await scrape()).toContain('wimds_node_agent_longest_pending_seconds 0')
})
