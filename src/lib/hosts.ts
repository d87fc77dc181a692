/** Formats and classifies hosts. */
import { BlockList, isIPv4, isIPv6 } from 'node:net'

/** The address at which programs expect Azure's metadata service. */
export const METADATA_IP = '169.254.169.254'
export const METADATA_PORT = 80
export const METADATA_ORIGIN = `http://${METADATA_IP}`

/** Returns the host as a URL or a Host header writes it: an IPv6 address in brackets. */
export function formatUrlHost(host: string): string {
  return host.includes(':') ? `[${host}]` : host
}

/** Returns the host and port of a URL as `HOST:PORT`, with the default port of its protocol. */
export function formatPeer({ hostname, port, protocol }: URL): string {
  const defaultPort = protocol === 'https:' ? '443' : '80'
  return `${hostname}:${port === '' ? defaultPort : port}`
}

/** Returns the host of a URL without the brackets of an IPv6 address. */
export function removeBrackets(host: string): string {
  return host.replace(/^\[(.+)\]$/, '$1')
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
  // Compares text: the first BlockList of a process takes a millisecond, and each start checks an IPv4 address.
  if (isIPv4(address)) return address.startsWith('127.')
  if (!isIPv6(address)) return false
  const list = new BlockList()
  list.addSubnet('127.0.0.0', 8, 'ipv4')
  list.addAddress('::1', 'ipv6')
  return list.check(address, 'ipv6')
}
