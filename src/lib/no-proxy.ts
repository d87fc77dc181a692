/** NO_PROXY of applications, in both cases: some clients look for one first, some for the other. */

/** What many clients would send to a proxy, requests for the metadata address too (R20). */
const NOT_PROXIED = ['169.254.169.254', 'localhost', '127.0.0.1']

export const NO_PROXY_NAMES = ['NO_PROXY', 'no_proxy'] as const

/**
 * The value of one of the two with our hosts in it. One that is not set, or empty, would hide what
 * the other excludes, so it says the same. A `*` is left alone: curl takes it for all hosts only
 * where nothing is beside it.
 */
export function addNoProxyHosts(value: string | undefined, other: string | undefined): string {
  const given = (value?.trim() || other?.trim()) ?? ''
  if (given === '*') return given
  const hosts = new Set(given.split(/[,\s]+/))
  const missing = NOT_PROXIED.filter((host) => !hosts.has(host))
  return [given.replace(/,$/, ''), ...missing].filter((part) => part !== '').join(',')
}
