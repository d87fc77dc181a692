/** What the agent takes of the metrics that a broker sends, which may be hostile. */
import { expect, test, vi } from 'vitest'
import { createNodeScrape } from '../../../src/node/agent/broker-metrics.ts'
import { createIdleMetrics, routedPod } from './pods.ts'

const SETTINGS = '0123abcd'

const findPods = () => [routedPod({ uid: 'a' })]

/** Returns the lines of a scrape with a broker of the pod `a` that answers so. */
async function scrapeWith(answer: unknown, readPods = findPods): Promise<string[]> {
  const own = createIdleMetrics()
  const broker = {
    pid: 1,
    get pods() {
      return readPods()
    },
    ask: () => Promise.resolve(answer),
  }
  const body = await createNodeScrape(own, { all: () => [broker] })()
  return body.split('\n')
}

const group = (samples: unknown, more: object = {}) => [
  { uid: 'a', settings: SETTINGS, samples, ...more },
]
const isOfWimds = (line: string) => line.startsWith('wimds_')
const isOfBroker = (line: string) => line.includes(`settings="${SETTINGS}"`)

test('a sample gets the namespace and service account of the pod', async () => {
  const labels = { protocol: 'imds', code: 'ok', client: 'none' }
  const lines = await scrapeWith(group([['wimds_requests_total', labels, 7]]))
  expect(lines.filter(isOfBroker)).toEqual([
    `wimds_requests_total{protocol="imds",code="ok",client="none",namespace="shop",service_account="orders",settings="${SETTINGS}"} 7`,
  ])
})

test.each([
  ['a metric that no broker has', group([['wimds_made_up', {}, 1]])],
  ['a metric of the agent', group([['wimds_node_agent_pods', { state: 'routed' }, 1]])],
  ['a label that the metric does not have', group([['wimds_ready', { namespace: 'other' }, 1]])],
  ['a long label', group([['wimds_assertion_readable', { file: 'x'.repeat(300) }, 1]])],
  ['a pod of another broker', group([['wimds_ready', {}, 1]], { uid: 'b' })],
  ['settings that are no digest', group([['wimds_ready', {}, 1]], { settings: 'x"} 1\n' })],
  ['a value that is no number', group([['wimds_ready', {}, 'many']])],
  ['no answer', undefined],
  ['no list', { samples: 7 }],
  ['a label that is no text', group([['wimds_ready', { file: 7 }, 1]])],
])('%s is left out', async (_, answer) => {
  const [lines, without] = [await scrapeWith(answer), await scrapeWith([])]
  expect(lines.filter(isOfWimds)).toEqual(without.filter(isOfWimds))
})

test('the pods of a broker are read once, however many groups it sends', async () => {
  const readPods = vi.fn<typeof findPods>(findPods)
  await scrapeWith(Array.from({ length: 1000 }, () => group([])).flat(), readPods)
  expect(readPods).toHaveBeenCalledOnce()
})

test('a series that is sent twice is written once, and so is a metric of agent and broker', async () => {
  const dropped = ['wimds_log_lines_dropped_total', { event: 'request_rejected' }, 3]
  const lines = await scrapeWith(group([['wimds_ready', {}, 1], ['wimds_ready', {}, 0], dropped]))
  expect(lines.filter((line) => line.startsWith('wimds_ready{'))).toHaveLength(1)
  expect(
    lines.filter((line) => line.startsWith('# TYPE wimds_log_lines_dropped_total')),
  ).toHaveLength(1)
  expect(lines.join('\n')).toMatch(/dropped_total\{event="request_rejected",.*\} 3/)
  expect(lines.join('\n')).toContain('wimds_log_lines_dropped_total{event="pod_not_routed"} 0')
})

test('a series whose labels come in another order is the same', async () => {
  const labels = { protocol: 'imds', code: 'ok', client: 'none' }
  const reversed = { client: 'none', code: 'ok', protocol: 'imds' }
  const samples = [labels, reversed].map((each) => ['wimds_requests_total', each, 1])
  expect((await scrapeWith(group(samples))).filter(isOfBroker)).toHaveLength(1)
})

test.each([
  ['groups', (wrong: unknown[]) => wrong],
  ['samples', (wrong: unknown[]) => group(wrong)],
  ['labels', (wrong: unknown[]) => group([['wimds_ready', Object.assign({}, wrong), 1]])],
])('a million wrong %s do not fill the memory', async (_, create) => {
  const answer = create(Array(1_000_000).fill(0))
  const before = process.memoryUsage().heapUsed
  await scrapeWith(answer)
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(64 * 1024 * 1024)
})
