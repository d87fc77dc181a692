/** Hosts of addresses as they are written elsewhere. */

/** A host as a Host header and a URL write it: IPv6 stands in brackets. */
export function hostInUrl(host: string): string {
  return host.includes(':') ? `[${host}]` : host
}

/** A host as seen from this machine: a wildcard address is reached by loopback. */
export function localHost(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1'
  return host === '::' ? '::1' : host
}
