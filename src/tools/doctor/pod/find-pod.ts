/** Finds the pod that the user names, by its own name or by that of its workload. */
import * as z from 'zod/mini'
import { findRefusal } from '../dry-run.ts'
import { endAsFailed } from '../findings.ts'
import { type Kubectl, parseOutput } from '../kubectl.ts'
import { chooseNewest, ClusterPod, getPods, isReady, readEvents } from '../pod-object.ts'
import { type PodTarget, WORKLOADS } from './pod-target.ts'

/** Returns the pod; of a workload, one that is not ready, and else the newest. Ends the check if there is none. */
export async function findPod(
  kubectl: Kubectl,
  { namespace, kind, name }: PodTarget,
): Promise<ClusterPod> {
  if (kind === undefined) {
    const result = await kubectl(['get', 'pod', name, '--output=json'])
    const pod = parseOutput(ClusterPod, result)
    if (pod !== undefined) return pod
    if (!result.stderr.includes('(NotFound)')) return endAsFailed(result.fault)
  }
  const place = namespace === undefined ? 'the current namespace' : `the namespace ${namespace}`
  const workload = await readWorkload(kubectl, kind ?? WORKLOADS, name)
  // Its pods of before are no answer.
  const failure = workload?.status?.conditions?.find(({ type }) => type === 'ReplicaFailure')
  rejectRefused(name, failure?.message)
  const pod = workload && (await readPodOf(kubectl, workload))
  if (pod !== undefined) return pod
  rejectRefused(name, await readCreationEvent(kubectl, name))
  const problem =
    workload === undefined
      ? `there is no pod and no workload ${name} in ${place}`
      : `the ${workload.kind} ${name} in ${place} has no pod`
  const fix =
    'check the name (kubectl get pods --all-namespaces), the namespace (-n), and the context (kubectl config current-context)'
  return endAsFailed({ code: 'pod_not_found', problem, fix })
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
  return chooseNewest(pods, (pod) => [!isReady(pod)])
}

/** Returns why the last pod of this name could not be created; undefined if there is no such event. */
async function readCreationEvent(kubectl: Kubectl, name: string): Promise<string | undefined> {
  const events = await readEvents(kubectl, 'reason=FailedCreate')
  const event = events.findLast(
    ({ involvedObject: { name: owner = '' } = {} }) =>
      `${owner}-`.startsWith(`${name}-`) || name.startsWith(`${owner}-`),
  )
  return event?.message ?? undefined
}

/** Ends the check if the message of a controller says that something refuses its pods. */
function rejectRefused(name: string, message = ''): void {
  const reason = message.replace(/^Error creating: /, '')
  const refusal = findRefusal({ stderr: message, reason }, `the pods of ${name}`)
  if (refusal !== undefined) endAsFailed(refusal.fault)
}
