/** Denies brokers what they reach in the network of the agent, which they share: its admin port, and the node's identity. */
import { METADATA_IP } from '../../lib/hosts.ts'
import { type RunOptions, runTool } from '../../redirect/run-tool.ts'
import type { UidRange } from './broker-uids.ts'

interface DeniedNetwork {
  readonly uids: UidRange
  readonly adminPort: number
}

/** The metadata services of clouds, and the WireServer of Azure. */
const METADATA_SERVICES = {
  ip: [METADATA_IP, '168.63.129.16'],
  ip6: ['fd00:ec2::254', 'fd20:ce::254'],
} as const

const TABLE = 'inet wimds_brokers'

/** Loads the rules for the processes with these uids, in place of earlier ones. Throws an error with the message of nft. */
export function denyBrokers(denied: DeniedNetwork, options: RunOptions): Promise<void> {
  return runTool({ argv: ['nft', '-f', '-'], input: createRules(denied) }, options)
}

/** A broker that could connect to the admin port could push out the probes of the kubelet by idle connections. */
function createRules({ uids: { first, last }, adminPort }: DeniedNetwork): string {
  const services = Object.entries(METADATA_SERVICES).map(
    // Some of these are name servers as well.
    ([family, addresses]) =>
      `    ${family} daddr { ${addresses.join(', ')} } meta l4proto { tcp, udp } th dport != 53 reject`,
  )
  return [
    `table ${TABLE}`,
    `delete table ${TABLE}`,
    `table ${TABLE} {`,
    '  chain of_brokers {',
    `    oif lo tcp dport ${adminPort} reject with tcp reset`,
    ...services,
    '  }',
    '  chain output {',
    '    type filter hook output priority 0; policy accept;',
    // Not `!= … accept`: a packet without an owner matches no uid.
    `    meta skuid ${first}-${last} jump of_brokers`,
    '  }',
    '}',
    '',
  ].join('\n')
}
