/** Parses the flags of `wimds node-agent`. */
import { type Address, address, tenant } from '../../broker/config/parsers.ts'
import { UsageError } from '../../lib/errors.ts'
import { type CommandDeclaration, parseFlags, parseSettingFlag } from '../../lib/args.ts'
import type { CommandIo } from '../../lib/command.ts'

export const NODE_AGENT = {
  name: 'node-agent',
  group: 'Run in a cluster',
  summary: 'serve the pods of mode node on this node (DaemonSet)',
  description:
    'Watches the pods of its node, opens a socket in the network namespace of each pod that was injected in mode node, and redirects 169.254.169.254:80 to it. Starts the broker, a process without rights, which answers on these sockets: it exchanges projected tokens for access tokens. The gate, an init container of each of these pods, waits until the broker serves the pod. Needs uid 0, capabilities, and the tools wimds-node, nft and ip; the chart charts/wimds installs it.',
  flags: {
    'node-name': { value: 'NAME', help: 'the node (default $NODE_NAME)' },
    'cni-results-directory': {
      value: 'DIR',
      help: 'where the CNI library of the container runtime caches its results (default /var/lib/cni/results)',
    },
    'bundles-directory': {
      value: 'DIR',
      help: 'where containerd keeps the bundles of containers (default /run/containerd/io.containerd.runtime.v2.task/k8s.io); another runtime has none',
    },
    'netns-directory': {
      value: 'DIR',
      help: 'where the container runtime keeps network namespaces (default /var/run/netns)',
    },
    'kubelet-pods-directory': {
      value: 'DIR',
      help: 'where the kubelet keeps the volumes of pods (default /var/lib/kubelet/pods)',
    },
    'state-directory': {
      value: 'DIR',
      help: 'for the pods that are served, which the next agent serves while the API server is away (default /run/wimds)',
    },
    'tenant-id': {
      value: 'TENANT_ID',
      help: 'the tenant of pods that a policy has injected, if the ServiceAccount has no annotation azure.workload.identity/tenant-id',
    },
    'uninstall-check': {
      help: 'only look for pods that an uninstall of the agent would leave without tokens; the exit code is 1 if there are any',
    },
    'admin-listen': {
      value: 'HOST:PORT',
      help: 'address for /healthz, /readyz and /metrics (default 127.0.0.1:9441)',
    },
    'broker-admin-listen': {
      value: 'HOST:PORT',
      help: "the broker's, with the status of all pods (default 127.0.0.1:9442)",
    },
  },
} as const satisfies CommandDeclaration

export type NodeAgentOptions = ReturnType<typeof parseNodeAgentOptions>

const DEFAULT_ADMIN_LISTEN: Address = { host: '127.0.0.1', port: 9441 }

/** Returns the options. Throws a `UsageError` with every problem of the flags. */
export function parseNodeAgentOptions(args: readonly string[], env: CommandIo['env']) {
  const flags = parseFlags(args, NODE_AGENT.flags)
  const problems = [...flags.problems]
  const nodeName = flags.value('node-name') ?? env['NODE_NAME'] ?? ''
  const isUninstallCheck = flags.has('uninstall-check')
  if (nodeName === '' && !isUninstallCheck) {
    problems.push(
      'the name of the node is missing. Fix: set --node-name, or NODE_NAME from spec.nodeName',
    )
  }
  const adminListen =
    parseSettingFlag(flags, 'admin-listen', address, problems) ?? DEFAULT_ADMIN_LISTEN
  const defaultTenantId = parseSettingFlag(flags, 'tenant-id', tenant, problems)
  if (problems.length > 0) throw new UsageError(problems)
  return {
    isUninstallCheck,
    nodeName,
    cniResultsDirectory: flags.value('cni-results-directory') ?? '/var/lib/cni/results',
    bundlesDirectory:
      flags.value('bundles-directory') ?? '/run/containerd/io.containerd.runtime.v2.task/k8s.io',
    netnsDirectory: flags.value('netns-directory') ?? '/var/run/netns',
    kubeletPodsDirectory: flags.value('kubelet-pods-directory') ?? '/var/lib/kubelet/pods',
    stateDirectory: flags.value('state-directory') ?? '/run/wimds',
    /** For ServiceAccounts without the annotation `azure.workload.identity/tenant-id`. */
    defaultTenantId,
    adminListen,
    /** Which the broker parses. */
    brokerAdminListen: flags.value('broker-admin-listen') ?? '127.0.0.1:9442',
  }
}
