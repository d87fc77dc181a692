/** Checks whether a pod with the rights of the node agent can be created. */
import { judgeDryRun, tryToCreate } from '../dry-run.ts'
import { failed, notChecked, type Outcome } from '../findings.ts'
import type { Kubectl } from '../kubectl.ts'

/** The chart's default of nodeAgent.namespace. */
export const AGENT_NAMESPACE = 'wimds-node-agent'

const PRIVILEGED = 'pod-security.kubernetes.io/enforce=privileged'

/**
 * Returns whether the agent's namespace admits the agent's rights: Pod Security below `privileged` refuses them, and so
 * do many policies. Before that namespace exists, only a policy of the namespace of injected pods can be found.
 */
export async function checkAgentAdmission(kubectl: Kubectl, image: string): Promise<Outcome> {
  const judge = async (...flags: string[]) =>
    judgeDryRun(await tryToCreate(kubectl, createAgentPod(image), ...flags), WHAT, 'node')
  const outcome = await judge(`--namespace=${AGENT_NAMESPACE}`)
  const { failure } = outcome
  if (failure?.problem.includes(`namespaces "${AGENT_NAMESPACE}" not found`) !== true) {
    return failure?.code === 'pod_not_admitted'
      ? failed({ code: failure.code, problem: failure.problem, fix: FIX })
      : outcome
  }
  const { problem = '', code } = (await judge()).failure ?? {}
  const isOfPolicy = code === 'pod_not_admitted' && !problem.includes('PodSecurity')
  return notChecked(
    `there is no namespace ${AGENT_NAMESPACE}. To check it before the installation, create it with the label ${PRIVILEGED}, and install with nodeAgent.createNamespace=false`,
    ...(isOfPolicy ? [`in the namespace of injected pods, ${problem}`] : []),
  )
}

const WHAT = 'a pod with the rights of the node agent'
const FIX = `label that namespace ${PRIVILEGED}, or exempt it from the policy that is named (on AKS: az aks safeguards update --excluded-ns, with this namespace and all that are excluded already); if it is about images, pass that of your registry (--gate-image)`

/** Returns a pod with the rights of the chart's agent and a directory of the node. */
function createAgentPod(image: string) {
  const securityContext = {
    runAsUser: 0,
    readOnlyRootFilesystem: true,
    seccompProfile: { type: 'RuntimeDefault' },
    capabilities: {
      drop: ['ALL'],
      add: ['SYS_ADMIN', 'NET_ADMIN', 'DAC_READ_SEARCH', 'SETUID', 'SETGID', 'SETPCAP', 'KILL'],
    },
  }
  const resources = { requests: { cpu: '100m', memory: '352Mi' }, limits: { memory: '896Mi' } }
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    // An installed webhook leaves it as it is.
    metadata: { name: 'wimds-doctor', annotations: { 'wimds.io/inject': 'false' } },
    spec: {
      containers: [{ name: 'wimds-node-agent', image, resources, securityContext }],
      volumes: [{ name: 'kubelet-pods', hostPath: { path: '/var/lib/kubelet/pods' } }],
    },
  }
}
