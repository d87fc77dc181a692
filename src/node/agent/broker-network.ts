/** What brokers reach in the network of the agent, which they share: not its admin port, and not the node's identity. */
import { type Environment, parseSettings } from '../../broker/config/settings.ts'
import { METADATA_IP } from '../../lib/hosts.ts'
import { type RunOptions, runTool } from '../../redirect/run-tool.ts'

/** The first and the last uid of brokers. */
export interface UidRange {
  readonly first: number
  readonly last: number
}

/** The metadata services of clouds, and the WireServer of Azure. */
const METADATA_SERVICES = {
  ip: [METADATA_IP, '168.63.129.16'],
  ip6: ['fd00:ec2::254', 'fd20:ce::254'],
} as const

const DNS_PORT = 53
const HTTPS_PORT = 443
const HTTP_PORT = 80

/**
 * Returns the ports to which brokers connect: of name servers, of Entra ID, and of the node's proxy and authority host. Where
 * the kernel has Landlock, it refuses all others. A broker reports settings that are invalid itself.
 */
export function findBrokerPorts(env: Environment): number[] {
  const { settings } = parseSettings(env)
  const proxy = settings?.HTTPS_PROXY ?? settings?.https_proxy
  const urls = [settings?.AZURE_AUTHORITY_HOST, proxy?.reveal()].flatMap((url) => url ?? [])
  return [DNS_PORT, HTTPS_PORT, ...urls.map((url) => findPort(new URL(url)))]
}

function findPort({ port, protocol }: URL): number {
  if (port !== '') return Number(port)
  return protocol === 'https:' ? HTTPS_PORT : HTTP_PORT
}

const TABLE = 'inet wimds_brokers'

/** Loads the rules for the processes with these uids, in place of earlier ones. Throws an error with the message of nft. */
export function denyBrokers(uids: UidRange, adminPort: number, options: RunOptions): Promise<void> {
  return runTool({ argv: ['nft', '-f', '-'], input: createRules(uids, adminPort) }, options)
}

/** A broker that could connect to the admin port could push out the probes of the kubelet by idle connections. */
function createRules({ first, last }: UidRange, adminPort: number): string {
  const services = Object.entries(METADATA_SERVICES).map(
    // Some of these are name servers as well.
    ([family, addresses]) =>
      `    ${family} daddr { ${addresses.join(', ')} } meta l4proto { tcp, udp } th dport != ${DNS_PORT} reject`,
  )
  return [
    `table ${TABLE}`,
    `delete table ${TABLE}`,
    `table ${TABLE} {`,
    // Before a service mesh redirects questions about names to a port of the loopback.
    '  chain before_redirect {',
    '    type filter hook output priority -150; policy accept;',
    // Datagrams that a broker sends to itself take memory of no process: the agent would end other brokers for it.
    `    oif lo meta skuid ${first}-${last} udp dport != ${DNS_PORT} reject`,
    '  }',
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
