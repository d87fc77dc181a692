/** Which hosts go by the proxy of the environment, by the rules that the exchange follows. */
import { NEVER_PROXIED } from '../exchange/connecting.ts'

/** True unless NO_PROXY names the host: to the letter, or by a leading `.` or `*` all that end so. */
export function isProxied(host: string, port: number, noProxy: string): boolean {
  const entries = [...noProxy.split(/[,\s]/), ...NEVER_PROXIED].map((entry) => entry.toLowerCase())
  return !entries.some((entry) => {
    if (entry === '*') return true
    const [, name = entry, onlyPort] = /^(.+):(\d+)$/.exec(entry) ?? []
    if (name === '' || (onlyPort !== undefined && Number(onlyPort) !== port)) return false
    return /^[.*]/.test(name)
      ? host.toLowerCase().endsWith(name.replace(/^\*/, ''))
      : host.toLowerCase() === name
  })
}
