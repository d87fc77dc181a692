/** The agent takes only valid metrics from a broker, which may be hostile. */
import { expect, test } from 'vitest'
import { createNodeScrape } from '../../../src/node/agent/broker-metrics.ts'
import { MetricsAnswer } from '../../../src/node/broker/messages.ts'
import { PROTOCOLS } from '../../../src/broker/dialects/dialect.ts'
import { createIdleMetrics, routedPod } from './pods.ts'

const SETTINGS = '0123abcd'

/** Creates a scrape of a broker that answers so each time. */
function createScrape(answer: () => unknown): () => Promise<string[]> {
  const broker = { pods: [routedPod({ uid: 'a' })], ask: () => Promise.resolve(answer()) }
  const scrape = createNodeScrape(createIdleMetrics(), { all: () => [broker] })
  return async () => (await scrape()).split('\n')
}

/** Returns the lines of a scrape with a broker of the pod `a` that answers so. */
const scrapeWith = (answer: unknown) => createScrape(() => answer)()

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
  [
    'a metric of the process',
    group([['wimds_log_lines_dropped_total', { event: 'request_rejected' }, 1]]),
  ],
  ['a label that the metric does not have', group([['wimds_ready', { namespace: 'other' }, 1]])],
  ['a long label', group([['wimds_assertion_readable', { file: 'x'.repeat(300) }, 1]])],
  ['an unknown code', group([['wimds_exchange_attempts_total', { code: 'made_up' }, 1]])],
  [
    'an unknown client',
    group([['wimds_requests_total', { protocol: 'imds', code: 'ok', client: 'x' }, 1]]),
  ],
  [
    'an unknown protocol',
    group([['wimds_request_duration_seconds_sum', { protocol: 'x', outcome: 'success' }, 1]]),
  ],
  [
    'an unknown bucket',
    group([['wimds_exchange_duration_seconds_bucket', { code: 'ok', le: '0.07' }, 1]]),
  ],
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

test.each(PROTOCOLS)('the samples of the protocol %s are taken', async (protocol) => {
  const labels = { protocol, outcome: 'client_error' }
  const samples = [
    ['wimds_request_duration_seconds_bucket', { ...labels, le: '0.001' }, 1],
    ['wimds_request_duration_seconds_bucket', { ...labels, le: '+Inf' }, 1],
    ['wimds_request_duration_seconds_count', labels, 1],
    ['wimds_requests_total', { protocol, code: 'overloaded', client: 'curl' }, 1],
    ['wimds_token_cache_results_total', { result: 'bypass' }, 1],
    ['wimds_token_refreshes_total', { outcome: 'failure' }, 1],
  ]
  expect((await scrapeWith(group(samples))).filter(isOfBroker)).toHaveLength(samples.length)
})

test('new series are taken up to a number that holds for all scrapes', async () => {
  let scrapes = 0
  const scrape = createScrape(() => {
    scrapes += 1
    const ofFile = (at: number) => ['wimds_assertion_readable', { file: `${scrapes}-${at}` }, 1]
    return group([['wimds_ready', {}, 1], ...Array.from({ length: 3000 }, (_, at) => ofFile(at))])
  })
  const countTaken = async () => (await scrape()).filter(isOfBroker).length
  expect([await countTaken(), await countTaken(), await countTaken()]).toEqual([3001, 2000, 1])
})

test('a series that is sent twice is written once, in whatever order its labels come', async () => {
  const labels = { protocol: 'imds', code: 'ok', client: 'none' }
  const reversed = { client: 'none', code: 'ok', protocol: 'imds' }
  const samples = [labels, reversed].map((each) => ['wimds_requests_total', each, 1])
  expect((await scrapeWith(group(samples))).filter(isOfBroker)).toHaveLength(1)
})

test('an answer with many wrong values has one problem, and not one for each', () => {
  const wrong = Array(1000).fill(0)
  const sample = ['wimds_ready', Object.assign({}, wrong), 1]
  for (const answer of [wrong, group(wrong), group([sample])]) {
    expect(MetricsAnswer.safeParse(answer).error?.issues).toHaveLength(1)
  }
})
