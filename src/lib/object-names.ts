/** Checks the names of objects in Kubernetes. */

/** A label of a name in DNS (RFC 1123). */
const LABEL = '[a-z0-9](?:[-a-z0-9]*[a-z0-9])?'
const DNS_LABEL = new RegExp(`^${LABEL}$`)
const DNS_SUBDOMAIN = new RegExp(String.raw`^${LABEL}(?:\.${LABEL})*$`)

/** Returns true if the text is valid as the name of a namespace. */
export function isDnsLabel(text: string): boolean {
  return text.length <= 63 && DNS_LABEL.test(text)
}

/** Returns true if the text is valid as the name of most objects, such as pods, ServiceAccounts and ConfigMaps. */
export function isDnsSubdomain(text: string): boolean {
  return text.length <= 253 && DNS_SUBDOMAIN.test(text)
}
