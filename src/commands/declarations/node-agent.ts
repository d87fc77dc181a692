/** Declares `wimds node-agent`. */
import { DISCOVERIES } from '../../kubernetes/node-agent/discovery.ts'
import type { CommandDeclaration } from './declaration.ts'

export const NODE_AGENT = {
  name: 'node-agent',
  group: 'Run in a cluster',
  summary: 'route the pods of mode node on this node (DaemonSet)',
  description:
    'Watches the pods of its node, and loads the redirect from 169.254.169.254:80 to the sidecar into the network namespace of each pod that was injected in mode node. Needs the capabilities SYS_ADMIN and NET_ADMIN, and the tools nsenter, nft and ip; the chart charts/wimds installs it.',
  flags: {
    'node-name': { value: 'NAME', help: 'the node (default $NODE_NAME)' },
    discovery: {
      value: 'HOW',
      choices: DISCOVERIES,
      help: 'how network namespaces are found: netns (the default), by the files of the container runtime; or processes, by the processes of the pods, which needs hostPID and SYS_PTRACE',
    },
    'netns-directory': {
      value: 'DIR',
      completion: 'directory',
      help: 'where the container runtime keeps network namespaces (default /var/run/netns)',
    },
    'admin-listen': {
      value: 'HOST:PORT',
      help: 'address for /healthz, /readyz and /metrics (default 127.0.0.1:9441)',
    },
  },
} as const satisfies CommandDeclaration
