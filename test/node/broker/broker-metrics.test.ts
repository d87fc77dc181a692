import { beforeEach, describe, expect, test } from 'vitest'
import { formatMetrics, WorkloadMetrics } from '../../../src/node/broker/broker-metrics.ts'
import { Counter, createRegistry, Gauge } from '../../../src/broker/telemetry/prometheus.ts'

let metrics: WorkloadMetrics
beforeEach(() => {
  metrics = new WorkloadMetrics()
})

/** A workload that has counted this, and has these gauges. */
function aWorkload(serviceAccount: string, requests: number, { cached = 1, ready = 1 } = {}) {
  const registry = createRegistry()
  const registers = [registry]
  new Counter({ name: 'wimds_requests_total', help: 'Requests.', registers }).inc(requests)
  new Gauge({ name: 'wimds_tokens_cached', help: 'Tokens.', registers }).set(cached)
  new Gauge({ name: 'wimds_ready', help: 'Ready.', registers }).set(ready)
  return { namespace: 'shop', serviceAccount, registry }
}

type Workload = ReturnType<typeof aWorkload>

/** Returns the samples, as Prometheus reads them. */
async function read(...workloads: readonly Workload[]): Promise<Record<string, number>> {
  const lines = (await formatMetrics(await metrics.read(workloads))).split('\n')
  const samples = lines.filter((line) => line !== '' && !line.startsWith('#'))
  return Object.fromEntries(
    samples.map((line) => {
      const at = line.lastIndexOf(' ')
      return [line.slice(0, at), Number(line.slice(at))]
    }),
  )
}

const labelled = (name: string, serviceAccount: string, namespace = 'shop') =>
  `${name}{namespace="${namespace}",service_account="${serviceAccount}"}`
const requests = labelled('wimds_requests_total', 'orders')
const others = labelled('wimds_requests_total', 'other', 'other')

test('sums the counts of an account, and shows the worst of its gauges', async () => {
  expect(
    await read(aWorkload('orders', 2), aWorkload('orders', 3, { ready: 0 }), aWorkload('stock', 1)),
  ).toMatchObject({
    [requests]: 5,
    [labelled('wimds_tokens_cached', 'orders')]: 2,
    [labelled('wimds_ready', 'orders')]: 0,
    [labelled('wimds_ready', 'stock')]: 1,
  })
})

test('has no series that have counted nothing', async () => {
  expect(await read(aWorkload('orders', 0))).not.toHaveProperty(requests)
})

describe('after the end of a workload', () => {
  test('no count of its account decreases', async () => {
    const [ending, staying] = [aWorkload('orders', 2), aWorkload('orders', 3)]
    expect(await read(ending, staying)).toMatchObject({ [requests]: 5 })
    const ended = metrics.onEnd(ending, [staying])
    expect(await read(staying)).toMatchObject({ [requests]: 5 })
    await ended
    expect(await read(staying)).toMatchObject({
      [requests]: 5,
      [labelled('wimds_tokens_cached', 'orders')]: 1,
    })
  })

  test('an account without another one has no series', async () => {
    const ending = aWorkload('orders', 2)
    await read(ending)
    await metrics.onEnd(ending, [])
    expect(await read()).toEqual({})
  })
})

test('sums the accounts past the limit, also those that have gone', async () => {
  const workloads = Array.from({ length: 102 }, (_, index) => aWorkload(`a${index}`, 1))
  const all = await read(...workloads)
  expect(all).toMatchObject({ [others]: 2, [labelled('wimds_requests_total', 'a99')]: 1 })
  const last = workloads.pop()
  if (last !== undefined) await metrics.onEnd(last, workloads)
  expect(await read(...workloads)).toMatchObject({ [others]: 2 })
})
