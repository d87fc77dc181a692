/** Which hosts go by the proxy of the environment: one rule for the exchange and for who explains it. */
import { BlockList, isIP } from 'node:net'

/** Where a connection is to lead. */
interface Target {
  /** A name or an address; of IPv6 in brackets, as `URL.hostname` has it. */
  readonly host: string
  readonly port: number
}

/** This machine and its link: the real IMDS and its kin are there. IPv4-mapped addresses count as IPv4. */
const NEAR = new BlockList()
NEAR.addSubnet('127.0.0.0', 8)
NEAR.addSubnet('169.254.0.0', 16)
NEAR.addAddress('::1', 'ipv6')
NEAR.addSubnet('fe80::', 10, 'ipv6')

/**
 * False for loopback and link-local hosts, whatever `noProxy` says, and for those that it names. Its
 * entries stand between commas or blanks: a name is for itself and all names below it, with a `.` in
 * front or without; `*.name` is for those below alone; `*` is for all; `:port` makes an entry be for that
 * port only.
 */
export function isProxied({ host, port }: Target, noProxy: string): boolean {
  const name = bare(host)
  return !isNear(name) && !noProxy.split(/[,\s]/).some((entry) => covers(entry, name, port))
}

function isNear(name: string): boolean {
  const version = isIP(name)
  if (version === 0) return name === 'localhost' || name.endsWith('.localhost')
  return NEAR.check(name, version === 4 ? 'ipv4' : 'ipv6')
}

function covers(entry: string, name: string, port: number): boolean {
  const [, pattern = entry, onlyPort] = /^(\[.+\]|[^:]+):(\d+)$/.exec(entry) ?? []
  if (onlyPort !== undefined && Number(onlyPort) !== port) return false
  if (pattern === '*') return true
  const parent = bare(pattern.replace(/^\*?\./, ''))
  return (name === parent && !pattern.startsWith('*')) || name.endsWith(`.${parent}`)
}

/** As names and addresses compare: in lower case, without brackets or the dot of the root. */
function bare(host: string): string {
  return host
    .toLowerCase()
    .replace(/^\[(.+)\]$/, '$1')
    .replace(/\.$/, '')
}
