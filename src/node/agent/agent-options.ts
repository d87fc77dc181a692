/** Parses the flags of `wimds node-agent`. */
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
    'Watches the pods of its node, opens a socket in the network namespace of each pod that was injected in mode node, and redirects 169.254.169.254:80 to it. Starts a broker for each namespace, a process without rights, which answers on these sockets: it exchanges projected tokens for access tokens. The gate, an init container of each of these pods, waits until the broker serves the pod. Needs uid 0, capabilities, and the tools wimds-node, nft and ip; the chart charts/wimds installs it.',
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
      help: 'where the agent saves the pods that it serves: the next agent serves them while the API server is away (default /run/wimds)',
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

/** The first and the last uid of brokers. */
interface UidRange {
  readonly first: number
  readonly last: number
}

export type NodeAgentOptions = ReturnType<typeof parseNodeAgentOptions>

const BROKER_COUNTS = { min: 1, max: 9999 }
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
  const given = flags.value('max-brokers')
  const maxBrokers = parseNumberOption(given, '--max-brokers', BROKER_COUNTS, problems) ?? 16
  const range = flags.value('broker-uids') ?? '60000000-60000999'
  const uidRange = parseRange(range)
  if (uidRange === undefined) {
    problems.push(`--broker-uids is ${quote(range)}. Fix: set two uids, such as 60000000-60000999`)
  }
  if (problems.length > 0 || uidRange === undefined) throw new UsageError(problems)
  return {
    isUninstallCheck,
    nodeName,
    cniResultsDirectory: flags.value('cni-results-directory') ?? '/var/lib/cni/results',
    bundlesDirectory:
      flags.value('bundles-directory') ?? '/run/containerd/io.containerd.runtime.v2.task/k8s.io',
    netnsDirectory: flags.value('netns-directory') ?? '/var/run/netns',
    kubeletPodsDirectory: flags.value('kubelet-pods-directory') ?? '/var/lib/kubelet/pods',
    stateDirectory: flags.value('state-directory') ?? '/run/wimds',
    /** The tenant of ServiceAccounts without the annotation `azure.workload.identity/tenant-id`. */
    defaultTenantId,
    adminListen,
    maxBrokers,
    uidRange,
  }
}

/** Parses `FIRST-LAST`; undefined if it is not a range of uids that are not root's. */
function parseRange(text: string): UidRange | undefined {
  const [, first = 0, last = 0] = (/^(\d{1,9})-(\d{1,9})$/.exec(text) ?? []).map(Number)
  return first > 0 && first <= last ? { first, last } : undefined
}
