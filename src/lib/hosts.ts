/** Formats and classifies hosts. */
import { BlockList, isIP, isIPv4 } from 'node:net'

/** Where programs expect the metadata service of Azure. */
export const METADATA_IP = '169.254.169.254'
export const METADATA_ORIGIN = `http://${METADATA_IP}`

/** Returns the host as a URL or a Host header writes it: an IPv6 address in brackets. */
export function formatUrlHost(host: string): string {
  return host.includes(':') ? `[${host}]` : host
}

/** Returns the host of a URL without the brackets of an IPv6 address. */
export function removeBrackets(host: string): string {
  return host.replace(/^\[(.+)\]$/, '$1')
}

/**
 * Returns the host by which this machine reaches a listener. A wildcard becomes 127.0.0.1, since `::`
 * accepts IPv4 too, and is bound as 0.0.0.0 on a machine without IPv6.
 */
export function toLocalHost(host: string): string {
  return host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host
}

/**
 * Returns true for a host that only this machine can reach: a loopback address or name, or the metadata
 * address, which is link-local.
 */
export function isLocalHost(host: string): boolean {
  const name = removeBrackets(new URL(`http://${formatUrlHost(host)}`).hostname)
  return name === 'localhost' || name === METADATA_IP || isLoopback(name)
}

/** Returns true for a loopback address. An IPv4-mapped address counts as IPv4. */
export function isLoopback(address: string): boolean {
  return isWithin(address, [
    ['127.0.0.0', 8],
    ['::1', 128],
  ])
}

/** Returns true for a link-local address. An IPv4-mapped address counts as IPv4. */
export function isLinkLocal(address: string): boolean {
  return isWithin(address, [
    ['169.254.0.0', 16],
    ['fe80::', 10],
  ])
}

function isWithin(address: string, subnets: readonly (readonly [string, number])[]): boolean {
  if (isIP(address) === 0) return false
  const list = new BlockList()
  for (const [network, prefix] of subnets) list.addSubnet(network, prefix, getFamily(network))
  return list.check(address, getFamily(address))
}

function getFamily(address: string): 'ipv4' | 'ipv6' {
  return isIPv4(address) ? 'ipv4' : 'ipv6'
}
