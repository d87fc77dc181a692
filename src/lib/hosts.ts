/** Hosts of addresses as they are written elsewhere. */

/** A host as a Host header and a URL write it: IPv6 stands in brackets. */
export function hostInUrl(host: string): string {
  return host.includes(':') ? `[${host}]` : host
}

/**
 * A host as seen from this machine: a wildcard address is reached by loopback. That of IPv6 takes IPv4,
 * too, and is itself IPv4 where the machine has no IPv6.
 */
export function localHost(host: string): string {
  return host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host
}
