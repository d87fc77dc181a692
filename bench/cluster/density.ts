/** Many pods at once: time until ready, what a sidecar's start costs the node, and what it asks of Entra ID. */
import { z } from 'zod'
import { type Entra } from '../../test/e2e/support/entra.ts'
import { eventually } from '../../test/e2e/support/eventually.ts'
import { type TestNamespace, testNamespace } from '../../test/e2e/support/namespace.ts'
import { kubectl } from '../../test/e2e/support/run.ts'
import { formatValue, percentile } from '../figures.ts'
import { markdown } from '../table.ts'
import { ACCOUNT, ALONE, CLIENT, DROP_IN, INCUMBENT, injected, type Kind } from './pods.ts'
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
  'CPU per sidecar',
  'Requests per pod',
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

/** Returns a table: 30 and 60 pods of each kind at once. */
export async function density(entra: Entra): Promise<string> {
  await using namespace = await testNamespace(NAMESPACE)
  await namespace.create(ACCOUNT)
  await warmUp(namespace, entra)
  const wimds = [injected('env'), injected('loopback'), injected('nft'), DROP_IN]
  const kinds = [ALONE, ...wimds, ...(INCUMBENT === undefined ? [] : [INCUMBENT])]
  const rows = [HEAD]
  for (const count of COUNTS) {
    for (const kind of kinds) rows.push(await measure(namespace, entra, kind, count))
  }
  return markdown(rows)
}

/** Lets the simulated Entra ID fetch the keys of the cluster, which on a busy machine fails in the midst of a start. */
async function warmUp(namespace: TestNamespace, entra: Entra): Promise<void> {
  await entra.setApplications({ clientId: CLIENT, serviceAccounts: [`${NAMESPACE}:app`] })
  await createPods(namespace, injected('env'), ['warm-up'])
  await eventually('the first token', async () => ((await entra.issued()) > 0 ? true : undefined))
  await deletePods(namespace)
}

async function measure(
  namespace: TestNamespace,
  entra: Entra,
  kind: Kind,
  count: number,
): Promise<string[]> {
  const requestsBefore = await entra.requests()
  const names = Array.from({ length: count }, (_, index) => `pod-${index}`)
  const { times } = await createPods(namespace, kind, names)
  const row = [String(count), kind.name, seconds(times, 0.5), seconds(times, 0.99)]
  row.push(String(await countRestarts(namespace)))
  if (kind.sidecar !== undefined) {
    row.push(await tallyReplies(namespace, names))
    const cpu = await readCpuSeconds(kind.sidecar, count)
    const requests = (await entra.requests()) - requestsBefore
    row.push(formatValue(cpu * 1000, 'ms'), (requests / count).toFixed(1))
  }
  process.stderr.write(`${row.join('  ')}\n`)
  await deletePods(namespace)
  return row
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
