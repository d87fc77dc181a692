/** Finds the pod that the user names, by the name of the pod or of its workload. */
import * as z from 'zod/mini'
import { findRefusal } from '../dry-run.ts'
import { endAsFailed } from '../findings.ts'
import { getNamed, type Kubectl, list } from '../kubectl.ts'
import { chooseNewest, ClusterPod, isEnding, isReady, readEvents } from '../pod-object.ts'
import { formatSelector, Selector } from '../selector.ts'
import { type PodTarget, WORKLOADS } from './pod-target.ts'

/** Returns the pod. Of a workload it prefers pods that have not ended, then pods that are not ready, then the newest. Ends the check if there is none. */
export async function findPod(
  kubectl: Kubectl,
  { namespace, kind, name }: PodTarget,
): Promise<ClusterPod> {
  const [named] = kind === undefined ? await getNamed(kubectl, ClusterPod, 'pod', name) : []
  if (named !== undefined) return named
  const [workload] = await getNamed(kubectl, Workload, kind ?? WORKLOADS, name)
  // Older pods may still run, although new ones are refused.
  const failure = workload?.status?.conditions?.find(({ type }) => type === 'ReplicaFailure')
  rejectRefused(name, failure?.message)
  const pod = workload && (await readPodOf(kubectl, workload))
  if (pod !== undefined) return pod
  rejectRefused(name, await readCreationEvent(kubectl, name))
  const place = namespace === undefined ? 'the current namespace' : `the namespace ${namespace}`
  return endAsFailed({
    code: 'pod_not_found',
    problem:
      workload === undefined
        ? `there is no ${kind ?? 'pod and no workload'} ${name} in ${place}`
        : `the ${workload.kind} ${name} in ${place} has no pod`,
    fix: 'check the name (kubectl get pods --all-namespaces), the namespace (-n), and the context (kubectl config current-context)',
  })
}

const Workload = z.object({
  kind: z.string(),
  metadata: z.object({ uid: z.optional(z.string()) }),
  spec: z.object({ selector: z.optional(Selector) }),
  status: z.optional(
    z.object({
      /** The selector that kinds with the subresource scale report, such as a Rollout with the template of a Deployment. */
      selector: z.optional(z.string()),
      conditions: z.optional(
        z.array(z.looseObject({ type: z.string(), message: z.optional(z.string()) })),
      ),
    }),
  ),
})

type Workload = z.infer<typeof Workload>

async function readPodOf(kubectl: Kubectl, workload: Workload): Promise<ClusterPod | undefined> {
  const { kind, metadata, spec, status } = workload
  const selector =
    kind === 'CronJob'
      ? await selectJobsOf(kubectl, metadata.uid)
      : formatSelector(spec.selector ?? {}) || status?.selector
  if (!selector) return undefined
  const pods = await list(kubectl, ClusterPod, 'pods', `--selector=${selector}`)
  // Evicted pods stay for days, and pods of the last rollout for seconds. None of them is ready.
  return chooseNewest(pods, (pod) => [!isEnding(pod), !isReady(pod)])
}

const Job = z.object({
  metadata: z.object({
    name: z.string(),
    ownerReferences: z.optional(z.array(z.looseObject({ uid: z.string() }))),
  }),
})

/** Returns the selector of the pods of all jobs of a CronJob; undefined: it has no job now. */
async function selectJobsOf(kubectl: Kubectl, owner: string | undefined) {
  const jobs = await list(kubectl, Job, 'jobs')
  const names = jobs
    .filter(({ metadata }) => metadata.ownerReferences?.some(({ uid }) => uid === owner))
    .map(({ metadata }) => metadata.name)
  return names.length === 0 ? undefined : `job-name in (${names.join(',')})`
}

/** Returns why the last pod of this controller could not be created; undefined if there is no such event. */
async function readCreationEvent(kubectl: Kubectl, name: string): Promise<string | undefined> {
  const events = await readEvents(kubectl, `involvedObject.name=${name},reason=FailedCreate`)
  return events.at(-1)?.message ?? undefined
}

/** Ends the check if the message of a controller says that something refuses its pods. */
function rejectRefused(name: string, message = ''): void {
  const reason = message.replace(/^Error creating: /, '')
  const refusal = findRefusal({ stderr: message, reason }, `the pods of ${name}`)
  if (refusal !== undefined) endAsFailed(refusal.fault)
}
