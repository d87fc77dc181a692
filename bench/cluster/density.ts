/** Many pods at once: time until ready, what a sidecar's start costs the node, and what is asked of Entra ID. */
import { z } from 'zod'
import { type Entra } from '../../test/e2e/support/entra.ts'
import { eventually } from '../../test/e2e/support/eventually.ts'
import { type TestNamespace, testNamespace } from '../../test/e2e/support/namespace.ts'
import { kubectl } from '../../test/e2e/support/run.ts'
import { atMost, type Figure, formatValue, percentile } from '../figures.ts'
import { markdown } from '../table.ts'
import { ACCOUNT, CLIENT, INCUMBENT, type Kind, KINDS } from './pods.ts'
import { createPods, deletePods } from './until-ready.ts'

const COUNTS = [30, 60]
const NAMESPACE = 'wimds-bench-density'
const HEAD = [
  'Pods',
  'Kind',
  'Ready p50',
  'p99',
  'Restarts',
  'First replies',
  'Exchanges',
  'Requests per pod',
  'CPU per sidecar',
]

const Summary = z.object({
  pods: z.array(
    z.object({
      podRef: z.object({ namespace: z.string() }),
      containers: z
        .array(
          z.object({
            name: z.string(),
            cpu: z.object({ usageCoreNanoSeconds: z.number().optional() }).optional(),
          }),
        )
        .optional(),
    }),
  ),
})

/** Returns a table: 30 and 60 pods of each kind at once; and the figures of mode node, which have bars. */
export async function density(
  entra: Entra,
  kinds: readonly Kind[],
): Promise<{ readonly table: string; readonly figures: readonly Figure[] }> {
  await using namespace = await testNamespace(NAMESPACE)
  await namespace.create(ACCOUNT)
  await warmUp(namespace, entra)
  const rows = [HEAD]
  const figures: Figure[] = []
  for (const count of COUNTS) {
    const results = new Map<string, Result>()
    for (const kind of kinds) {
      const result = await measure(namespace, entra, kind, count)
      results.set(kind.name, result)
      rows.push(result.row)
      process.stderr.write(`${result.row.join('  ')}\n`)
    }
    figures.push(...compare(count, results.get('node'), results.get(INCUMBENT)))
  }
  return { table: markdown(rows), figures }
}

/** What was measured of pods of one kind. */
interface Result {
  readonly times: readonly number[]
  readonly exchanges: number
  readonly row: string[]
}

/** Creates the figures of mode node. */
function compare(count: number, node?: Result, incumbent?: Result): Figure[] {
  if (node === undefined) return []
  const name = (what: string) => `${count} pods at once, node: ${what}`
  const createTime = (what: string, share: number): Figure => {
    const other = incumbent && percentile(incumbent.times, share)
    return {
      name: name(what),
      unit: 'ms',
      wimds: percentile(node.times, share),
      ...(other !== undefined && {
        incumbent: other,
        bar: { text: '≤ Go proxy', limit: other },
      }),
    }
  }
  return [
    createTime('half ready', 0.5),
    createTime('all ready', 1),
    { name: name('exchanges'), unit: '', wimds: node.exchanges, bar: atMost(1, '') },
  ]
}

/** Lets the simulated Entra ID fetch the keys of the cluster, which on a busy machine fails in the midst of a start. */
async function warmUp(namespace: TestNamespace, entra: Entra): Promise<void> {
  await entra.setApplications({ clientId: CLIENT, serviceAccounts: [`${NAMESPACE}:app`] })
  const asking = KINDS.find(({ isAsking }) => isAsking)
  if (asking !== undefined) await createPods(namespace, asking, ['warm-up'])
  await eventually('the first token', async () => ((await entra.issued()) > 0 ? true : undefined))
  await deletePods(namespace)
}

async function measure(
  namespace: TestNamespace,
  entra: Entra,
  kind: Kind,
  count: number,
): Promise<Result> {
  const [requestsBefore, issuedBefore] = [await entra.requests(), await entra.issued()]
  const names = Array.from({ length: count }, (_, index) => `pod-${index}`)
  const { times } = await createPods(namespace, kind, names)
  const row = [String(count), kind.name, seconds(times, 0.5), seconds(times, 0.99)]
  row.push(String(await countRestarts(namespace)))
  if (kind.isAsking) row.push(await tallyReplies(namespace, names))
  const cpu = kind.sidecar === undefined ? 0 : await readCpuSeconds(kind.sidecar, count)
  const requests = (await entra.requests()) - requestsBefore
  const exchanges = (await entra.issued()) - issuedBefore
  if (kind.isAsking) row.push(String(exchanges), (requests / count).toFixed(1))
  if (kind.sidecar !== undefined) row.push(formatValue(cpu * 1000, 'ms'))
  await deletePods(namespace)
  return { times, exchanges, row }
}

const seconds = (times: readonly number[], share: number) =>
  formatValue(percentile(times, share) / 1000, 's')

async function countRestarts(namespace: TestNamespace): Promise<number> {
  const path = 'jsonpath={.items[*].status.initContainerStatuses[*].restartCount}'
  const counts = await namespace.kubectl(['get', 'pods', '--output', path])
  return counts.split(' ').reduce((sum, text) => sum + Number(text), 0)
}

/** Returns how many apps got which status with their first request; 000: no reply. */
async function tallyReplies(namespace: TestNamespace, names: readonly string[]): Promise<string> {
  const tally = new Map<string, number>()
  for (const name of names) {
    const status = await eventually(`a reply in ${name}`, async () => {
      const log = await namespace.logs(name)
      return log.includes('\n') ? log.trim().split('\n').at(-1) : undefined
    })
    tally.set(status, (tally.get(status) ?? 0) + 1)
  }
  return [...tally].map(([status, number]) => `${number} × ${status}`).join(', ')
}

/** Returns the mean processor time of the containers of that name, their hooks included, soon after their start. */
async function readCpuSeconds(container: string, count: number): Promise<number> {
  const [node = ''] = (await kubectl(['get', 'nodes', '--output', 'name'])).trim().split('\n')
  const path = `/api/v1/nodes/${node.replace('node/', '')}/proxy/stats/summary`
  return await eventually('the processor time of each sidecar', async () => {
    const { pods } = Summary.parse(JSON.parse(await kubectl(['get', '--raw', path])))
    const used = pods
      .filter(({ podRef }) => podRef.namespace === NAMESPACE)
      .flatMap(({ containers = [] }) => containers.filter(({ name }) => name === container))
      .flatMap(({ cpu }) => cpu?.usageCoreNanoSeconds ?? [])
    if (used.length < count) return undefined
    return used.reduce((sum, nanoseconds) => sum + nanoseconds, 0) / count / 1e9
  })
}
