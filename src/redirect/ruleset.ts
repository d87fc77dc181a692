/** The nftables rules of the redirect from 169.254.169.254:80 to the sidecar. */
import { METADATA_IP, METADATA_PORT } from '../lib/hosts.ts'

export const REDIRECT_MODES = ['loopback', 'nft'] as const
type RedirectMode = (typeof REDIRECT_MODES)[number]

export interface RedirectSettings {
  /** `loopback` also routes the metadata address to `lo`; `nft` leaves the node's IMDS reachable. */
  readonly mode: RedirectMode
  /** The sidecar's port on 127.0.0.1. */
  readonly port: number
  /** The only uid that may reach the node's IMDS; undefined without pass-through. */
  readonly exemptUid: number | undefined
}

/** The table of wimds, which reads and changes no other table. */
const TABLE = 'wimds'

/**
 * The redirects of a mesh (Istio, Linkerd) have priority -100. The first nat chain with a verdict wins,
 * so this one runs before, and after connection tracking (-200), which nat needs.
 */
const BEFORE_A_MESH = -150

/** Removes the table whether or not it exists: declaring it first makes the removal succeed. */
export const REMOVE_TABLE = `table ip ${TABLE}\ndelete table ip ${TABLE}\n`

/**
 * Creates the script of the whole table. It replaces the table in one transaction, so a second run changes
 * nothing and no packet meets a partial one.
 *
 * Nat applies to new connections only. A packet that still has the metadata address after the nat hook
 * belongs to a connection opened before the rule: `reject_direct` resets it, so that its client opens a
 * new one, which reaches the sidecar. In mode `loopback` it refuses the other ports of the address too, where
 * otherwise the kernel drops the packet and the caller waits.
 */
export function createRuleset(settings: RedirectSettings): string {
  const { exemptUid, mode, port } = settings
  const toAddress = `ip daddr ${METADATA_IP}`
  const target = `${toAddress} tcp dport ${METADATA_PORT}`
  const exempt = exemptUid === undefined ? [] : [`    meta skuid ${exemptUid} accept`]
  // Not `skuid ${exemptUid} accept`: a packet without an owner, such as the last one of a connection
  // that the exempt uid has closed, matches no uid and has to pass.
  const others = exemptUid === undefined ? '' : `meta skuid != ${exemptUid} `
  return [
    `${REMOVE_TABLE}table ip ${TABLE} {`,
    '  chain to_sidecar {',
    `    type nat hook output priority ${BEFORE_A_MESH}; policy accept;`,
    ...exempt,
    `    ${target} redirect to :${port}`,
    '  }',
    '  chain reject_direct {',
    '    type filter hook output priority 0; policy accept;',
    `    ${others}${target} reject with tcp reset`,
    // Not for replies: a pod that has the address itself connects from it, so replies go to the address.
    ...(mode === 'loopback'
      ? [
          `    ct direction original ${toAddress} meta l4proto tcp reject with tcp reset`,
          `    ct direction original ${toAddress} reject`,
        ]
      : []),
    '  }',
    '}',
    '',
  ].join('\n')
}

/**
 * Creates the script that adds the chain `await_restart` to the table: while the sidecar restarts, new connections wait for it
 * instead of being refused. It drops the reset that answers a SYN (RFC 9293 section 3.5.2: sequence number 0, with ACK), so
 * that the kernel of the caller sends the SYN again, after 1, 3, 7 and 15 s. All other resets pass: the caller of a broken
 * connection has to know. A second run changes nothing. With `seconds` the kernel ends the wait after that time.
 */
export function createRestartRule(
  { port }: Pick<RedirectSettings, 'port'>,
  seconds?: number,
): string {
  const chain = `ip ${TABLE} await_restart`
  const set = `ip ${TABLE} awaited`
  const limit = [
    `add set ${set} { type inet_service; flags timeout; }`,
    `add element ${set} { ${port} timeout ${seconds}s }`,
  ]
  return [
    `add chain ${chain} { type filter hook output priority 0; policy accept; }`,
    `flush chain ${chain}`,
    ...(seconds === undefined ? [] : limit),
    `add rule ${chain} tcp sport ${seconds === undefined ? port : '@awaited'} tcp flags & (fin | syn | rst | ack) == rst | ack tcp sequence 0 drop`,
    '',
  ].join('\n')
}
