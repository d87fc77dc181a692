/** Checks the syntax of numbers, GUIDs and Kubernetes names. */

const GUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

/** Returns true for a GUID in its hyphenated form, in upper or lower case. */
export function isGuid(text: string): boolean {
  return GUID.test(text)
}

export interface NumberRange {
  readonly min: number
  readonly max: number
}

/** Returns the number. Returns undefined unless the text has only decimal digits and the number is in the range. */
export function parseWholeNumber(text: string, { min, max }: NumberRange): number | undefined {
  const value = Number(text)
  return /^\d+$/.test(text) && value >= min && value <= max ? value : undefined
}

/** A label of a DNS name (RFC 1123). */
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
