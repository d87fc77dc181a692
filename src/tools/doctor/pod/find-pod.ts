/** Finds the pod that the user names, by its own name or by that of its workload. */
import * as z from 'zod/mini'
import { scrubAndTruncate } from '../../../lib/scrub.ts'
import { findRefusal } from '../dry-run.ts'
import type { Fault } from '../findings.ts'
import { getItems, isRead, type Kubectl, parseOutput } from '../kubectl.ts'
import { type ClusterPod, getPods, readClusterPod } from '../pod-object.ts'
import { type PodTarget, WORKLOADS } from './pod-target.ts'

/** Returns the pod; of a workload, one that is not ready, and else the newest. */
export async function findPod(
  kubectl: Kubectl,
  { namespace, kind, name }: PodTarget,
): Promise<ClusterPod | Fault> {
  if (kind === undefined) {
    const result = await kubectl(['get', 'pod', name, '--output=json'])
    const pod = readClusterPod(parseOutput(z.unknown(), result))
    if (pod !== undefined) return pod
    if (!result.stderr.includes('(NotFound)')) return result.fault
  }
  const place = namespace === undefined ? 'the current namespace' : `the namespace ${namespace}`
  const kinds = kind ?? WORKLOADS
  const workload = await readWorkload(kubectl, kinds, name)
  // Its pods of before are no answer.
  const failure = workload?.status?.conditions?.find(({ type }) => type === 'ReplicaFailure')
  const refused = explainCreation(name, failure?.message)
  if (refused !== undefined) return refused
  const pod = workload && (await readPodOf(kubectl, workload))
  if (pod !== undefined) return pod
  return (
    explainCreation(name, await readCreationEvent(kubectl, name)) ?? {
      code: 'pod_not_found',
      problem:
        workload === undefined
          ? `there is no pod and no workload ${name} in ${place}`
          : `the ${workload.kind} ${name} in ${place} has no pod`,
      fix: 'check the name (kubectl get pods --all-namespaces), the namespace (-n), and the context (kubectl config current-context)',
    }
  )
}

const Workload = z.object({
  kind: z.string(),
  spec: z.object({
    selector: z.object({ matchLabels: z.record(z.string(), z.string()) }),
  }),
  status: z.optional(
    z.object({
      conditions: z.optional(
        z.array(z.looseObject({ type: z.string(), message: z.optional(z.string()) })),
      ),
    }),
  ),
})
const MAX_REASON = 600

const Workloads = z.union([z.object({ items: z.array(Workload) }), Workload])

async function readWorkload(kubectl: Kubectl, kinds: string, name: string) {
  const args = ['get', kinds, name, '--ignore-not-found', '--output=json']
  // kubectl prints one object where it finds one.
  const found = parseOutput(Workloads, await kubectl(args))
  return found !== undefined && 'items' in found ? found.items[0] : found
}

async function readPodOf(
  kubectl: Kubectl,
  { spec }: z.infer<typeof Workload>,
): Promise<ClusterPod | undefined> {
  const labels = Object.entries(spec.selector.matchLabels).map((pair) => pair.join('='))
  if (labels.length === 0) return undefined
  const pods = await getPods(kubectl, `--selector=${labels.join(',')}`)
  if (!isRead(pods)) return undefined
  return pods.toSorted((a, b) => formatOrder(b).localeCompare(formatOrder(a)))[0]
}

function formatOrder({ isReady, createdAt }: ClusterPod): string {
  return `${isReady ? 0 : 1} ${createdAt}`
}

const CreationEvent = z.looseObject({
  message: z.nullish(z.string()),
  involvedObject: z.looseObject({ name: z.optional(z.string()) }),
})

/** Returns why the last pod of this name could not be created; undefined if there is no such event. */
async function readCreationEvent(kubectl: Kubectl, name: string): Promise<string | undefined> {
  const args = ['--field-selector=reason=FailedCreate', '--sort-by=.lastTimestamp']
  const events = await getItems(kubectl, CreationEvent, 'events', ...args)
  if (!isRead(events)) return undefined
  const event = events.findLast(
    ({ involvedObject: { name: owner = '' } }) =>
      `${owner}-`.startsWith(`${name}-`) || name.startsWith(`${owner}-`),
  )
  return event?.message ?? undefined
}

/** Returns the fault of pods that cannot be created, by what their controller reports; undefined if nothing refuses them. */
function explainCreation(name: string, message = ''): Fault | undefined {
  const refusal = findRefusal({ stderr: message })
  if (refusal === undefined) return undefined
  const { code, by, fix } = refusal
  const reason = scrubAndTruncate(message.replace(/^Error creating: /, ''), MAX_REASON)
  const problem = `the pods of ${name} cannot be created: ${by} refuses them: ${reason}`
  return { code, problem, fix }
}
