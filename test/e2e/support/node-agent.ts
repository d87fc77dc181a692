/** The node agent of the chart, without its webhook. */
import { CHART, ENTRA_VALUES, helm, imageValues, RELEASE } from './chart.ts'
import { kubectl } from './run.ts'

const AGENT = `daemonset/${RELEASE}-node-agent`
const NAMESPACE = 'wimds-node-agent'

/** The flags of helm that enable the agent. */
export const AGENT_VALUES = ['--set=nodeAgent.enabled=true']

/** Renders only the objects of the agent. */
async function renderAgent(values: readonly string[] = []): Promise<string> {
  const template = ['template', RELEASE, CHART, '--namespace=wimds', '--kube-version=1.34.0']
  const all = [...imageValues(), ...ENTRA_VALUES, ...AGENT_VALUES, ...values]
  return await helm(...template, ...all, '--show-only=templates/node-agent.yaml')
}

/** Runs kubectl in the namespace of the agent. */
export const inAgentNamespace = (args: readonly string[], input?: string) =>
  kubectl(['--namespace', NAMESPACE, ...args], input)

/** Creates or updates the agent. If another test file has deleted the namespace, first waits until it is gone. */
export async function installAgent(...values: readonly string[]): Promise<void> {
  const deletedAt = '-o=jsonpath={.metadata.deletionTimestamp}'
  if ((await kubectl(['get', 'namespace', NAMESPACE, '--ignore-not-found', deletedAt])) !== '') {
    await kubectl(['wait', '--for=delete', `namespace/${NAMESPACE}`, '--timeout=120s'])
  }
  await kubectl(['apply', '-f', '-'], await renderAgent(values))
}

/** Waits until the new agent serves all pods and the earlier one has ended. */
export async function agentReady(): Promise<void> {
  await inAgentNamespace(['rollout', 'status', AGENT, '--timeout=120s'])
}

/** Ends the agents of all nodes. */
export async function deleteAgent(): Promise<void> {
  await inAgentNamespace(['delete', AGENT, '--cascade=foreground', '--wait'])
}

/** Installs the agent with its default values, and waits until it is ready. Later test files find it running. */
export async function startAgent(): Promise<void> {
  await installAgent()
  await agentReady()
}

/** Removes the agent and its namespace, if they exist. `flags` are flags of `kubectl delete`. */
export async function uninstallAgent(...flags: readonly string[]): Promise<void> {
  await kubectl(['delete', '--ignore-not-found', ...flags, '-f', '-'], await renderAgent())
}
