/** The nftables script of the redirect. */
import type { RedirectSettings } from './settings.ts'

/** The one table that wimds owns; nothing else is ever read or changed. */
export const TABLE = 'wimds'

/**
 * A mesh's redirects (Istio, Linkerd) hook in at -100. The first nat chain that decides wins, so
 * ours comes before, and after connection tracking (-200), without which there is no nat.
 */
const BEFORE_A_MESH = -150

/** Removes the table whether or not it is there: declaring it first makes the removal succeed. */
export const REMOVE_TABLE = `table ip ${TABLE}\ndelete table ip ${TABLE}\n`

/**
 * The whole table, replaced in one transaction, so that a second run changes nothing and no packet
 * meets a half-made one.
 *
 * Nat decides for new connections only. Whatever is still addressed to the metadata address behind
 * the nat hook belongs to a connection opened before the rule; it is reset, so that its client
 * opens a new one, which reaches the sidecar.
 */
export function ruleset(settings: RedirectSettings): string {
  const { exemptUid, port } = settings
  const target = targetOf(settings)
  const exempt = exemptUid === undefined ? [] : [`    meta skuid ${exemptUid} accept`]
  // Not the other way round: a packet without an owner, such as the last one of a connection that
  // the exempt uid has closed, matches no uid and has to pass.
  const others = exemptUid === undefined ? '' : `meta skuid != ${exemptUid} `
  return [
    `${REMOVE_TABLE}table ip ${TABLE} {`,
    '  chain to_sidecar {',
    `    type nat hook output priority ${BEFORE_A_MESH}; policy accept;`,
    ...exempt,
    `    ${target} redirect to :${port}`,
    '  }',
    '  chain refuse_leftovers {',
    '    type filter hook output priority 0; policy accept;',
    `    ${others}${target} reject with tcp reset`,
    '  }',
    '}',
    '',
  ].join('\n')
}

/** True if a listing of the table holds the redirect that the settings ask for. */
export function holdsRedirect(listing: string, settings: RedirectSettings): boolean {
  const rule = `${targetOf(settings)} redirect to :${settings.port}`
  return listing.split('\n').some((line) => line.trim() === rule)
}

function targetOf({ metadataIp, metadataPort }: RedirectSettings): string {
  return `ip daddr ${metadataIp} tcp dport ${metadataPort}`
}
