/** NO_PROXY of applications, in upper and lower case: which one is read first differs by client. */
import { METADATA_IP } from './hosts.ts'

/** Hosts that many clients would otherwise send to a proxy, the metadata address included (R20). */
export const UNPROXIED_HOSTS = [METADATA_IP, 'localhost', '127.0.0.1']

export const NO_PROXY_NAMES = ['NO_PROXY', 'no_proxy'] as const

/**
 * Returns the value of one of the two variables with the hosts of the sidecar added. If it is unset or
 * empty it starts from the other one, which it would override. A lone `*` is returned unchanged:
 * curl takes it for all hosts only while nothing else is listed.
 */
export function addNoProxyHosts(value: string | undefined, other: string | undefined): string {
  const current = (value?.trim() || other?.trim()) ?? ''
  if (current === '*') return current
  const hosts = new Set(current.split(/[,\s]+/))
  const missing = UNPROXIED_HOSTS.filter((host) => !hosts.has(host))
  return [current.replace(/,$/, ''), ...missing].filter((part) => part !== '').join(',')
}
