/** Formats and classifies the hosts of listen addresses. */

/** Where programs expect the metadata service of Azure. */
export const METADATA_ORIGIN = 'http://169.254.169.254'

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
  const name = new URL(`http://${formatUrlHost(host)}`).hostname
  return /^(?:127\.[\d.]+|169\.254\.169\.254|\[::1\]|localhost)$/.test(name)
}
