/** Parses the flags of `wimds node-agent`. */
import { join } from 'node:path'
import { type Address, address, quote, tenant } from '../../service/parsers.ts'
import { UsageError } from '../../lib/errors.ts'
import {
  type CommandDeclaration,
  parseFlags,
  parseNumberOption,
  parseSettingFlag,
} from '../../lib/args.ts'
import type { CommandIo } from '../../lib/command.ts'

export const NODE_AGENT = {
  name: 'node-agent',
  group: 'Run in a cluster',
  summary: 'serve the pods of mode node on this node (DaemonSet)',
  description:
    'Watches the pods of its node, opens a socket in the network namespace of each pod that was injected in mode node, and redirects 169.254.169.254:80 to it. Starts a broker for each namespace, a process without rights, which answers on these sockets and exchanges projected tokens for access tokens. The gate, an init container of each of these pods, waits until the broker serves the pod. Needs uid 0, capabilities, and the tools wimds-node, nft and ip. The chart charts/wimds installs the agent.',
  flags: {
    'node-name': { value: 'NAME', help: 'the node (default $NODE_NAME)' },
    'host-root': {
      value: 'DIR',
      help: 'where the agent finds the directories of the node: var/lib/cni/results, run/containerd/io.containerd.runtime.v2.task/k8s.io, var/run/netns, var/lib/kubelet/pods, and run/wimds, in which it saves the pods that it serves for the next agent (default /)',
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
      help: 'address for /healthz, /readyz, /metrics and /status (default 127.0.0.1:9441)',
    },
    'max-brokers': {
      value: 'NUMBER',
      help: 'namespaces whose pods are served at the same time (default 16)',
    },
    'broker-uids': {
      value: 'FIRST-LAST',
      help: 'the uids of brokers, which nothing else on the node may have (default 60000000-60000999)',
    },
  },
} as const satisfies CommandDeclaration

export type NodeAgentOptions = ReturnType<typeof parseNodeAgentOptions>

const BROKER_COUNTS = { min: 1, max: 9999 }
const DEFAULT_ADMIN_LISTEN: Address = { host: '127.0.0.1', port: 9441 }

/** Returns the options. Throws a `UsageError` with every problem of the flags. */
export function parseNodeAgentOptions(args: readonly string[], env: CommandIo['env']) {
  const flags = parseFlags(args, NODE_AGENT)
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
  const given = flags.value('max-brokers')
  const maxBrokers = parseNumberOption(given, '--max-brokers', BROKER_COUNTS, problems) ?? 16
  const brokerUids = flags.value('broker-uids') ?? '60000000-60000999'
  if (!isRange(brokerUids)) {
    problems.push(
      `--broker-uids is ${quote(brokerUids)}. Fix: set two uids, such as 60000000-60000999`,
    )
  }
  if (problems.length > 0) throw new UsageError(problems)
  const root = flags.value('host-root') ?? '/'
  return {
    isUninstallCheck,
    nodeName,
    /** The directory in which the CNI library of the runtime caches its results. */
    cniResultsDirectory: join(root, 'var/lib/cni/results'),
    /** The directory of containerd's OCI bundles, one for each container. CRI-O has no such directory. */
    bundlesDirectory: join(root, 'run/containerd/io.containerd.runtime.v2.task/k8s.io'),
    /** The directory in which the runtime keeps network namespaces. */
    netnsDirectory: join(root, 'var/run/netns'),
    /** The kubelet's directory of pods, with a directory for each pod of the node, named by its UID. */
    kubeletPodsDirectory: join(root, 'var/lib/kubelet/pods'),
    stateDirectory: join(root, 'run/wimds'),
    /** The tenant of ServiceAccounts without the annotation `azure.workload.identity/tenant-id`. */
    defaultTenantId,
    adminListen,
    maxBrokers,
    brokerUids,
  }
}

/** Returns true for `FIRST-LAST`: two uids, in their order, without the uid of root. */
function isRange(text: string): boolean {
  const [, first = 0, last = 0] = (/^(\d{1,9})-(\d{1,9})$/.exec(text) ?? []).map(Number)
  return first > 0 && first <= last
}
