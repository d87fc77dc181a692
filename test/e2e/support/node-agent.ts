/** The agent of mode node, without the rest of the chart. */
import { CHART, helm, imageValues, RELEASE } from './chart.ts'
import { AUTHORITY } from './entra.ts'
import { NETNS_DIRECTORY } from './environment.ts'
import { eventually } from './eventually.ts'
import type { TestNamespace } from './namespace.ts'
import { kubectl } from './run.ts'
import { appPod } from './workloads.ts'

const AGENT = `daemonset/${RELEASE}-node-agent`

/** Renders the objects of the agent. */
async function renderAgent(...values: readonly string[]): Promise<string> {
  const template = ['template', RELEASE, CHART, '--namespace=wimds', '--kube-version=1.34.0']
  const directory = NETNS_DIRECTORY && `--set=nodeAgent.netnsDirectory=${NETNS_DIRECTORY}`
  // Every namespace has it, with the cluster's CA.
  const ca = '--set=injection.ca.configMap=kube-root-ca.crt'
  const authority = `--set=injection.env.AZURE_AUTHORITY_HOST=${AUTHORITY}`
  const enabled = [...imageValues(), ca, authority, '--set=nodeAgent.enabled=true']
  const all = [...enabled, ...values, directory ?? []].flat()
  return await helm(...template, ...all, '--show-only=templates/node-agent.yaml')
}

/** Creates or updates the agent. */
export async function installAgent(...values: readonly string[]): Promise<void> {
  await kubectl(['apply', '-f', '-'], await renderAgent(...values))
}

const inAgentNamespace = (...args: readonly string[]) =>
  kubectl(['--namespace', 'wimds-node-agent', ...args])

/** Waits until the new agent serves all pods and the earlier one has ended. */
export async function agentReady(): Promise<void> {
  await inAgentNamespace('rollout', 'status', AGENT, '--timeout=120s')
}

/** Deletes the agent's pods, and waits until they have ended. */
export async function deleteAgent(): Promise<void> {
  await inAgentNamespace('delete', AGENT, '--cascade=foreground', '--wait')
}

/** Deletes all that `installAgent` has created. */
export async function uninstallAgent(): Promise<void> {
  await kubectl(['delete', '--ignore-not-found', '-f', '-'], await renderAgent())
}

/** Runs a script with all rights on the node. The namespace must admit privileged pods. */
export async function runOnNode(
  privileged: TestNamespace,
  name: string,
  script: string,
): Promise<void> {
  const pod = appPod({
    name,
    script: `nsenter -t 1 -m -- sh -c '${script}'`,
    spec: { hostPID: true, restartPolicy: 'Never', securityContext: {} },
    container: { securityContext: { privileged: true } },
  })
  await privileged.create(pod)
  await eventually(`${name} has run on the node`, async () => {
    const phase = await privileged.field(`pod ${name}`, '{.status.phase}')
    return phase === 'Succeeded' ? true : undefined
  })
}

/** Shares the mounts that the agent follows: a node that runs in a mount namespace may not. */
export async function shareMounts(privileged: TestNamespace): Promise<void> {
  if (NETNS_DIRECTORY === undefined) return
  const scripts = [NETNS_DIRECTORY, '/var/lib/kubelet'].map(
    (directory) =>
      `mount --make-rshared "$(df -P ${directory} | tail -1 | tr -s " " | cut -d" " -f6)"`,
  )
  await runOnNode(privileged, 'mounts', scripts.join(' && '))
}
