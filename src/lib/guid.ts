/** The form of the ids that Azure gives to tenants, applications and identities. */
const GUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

/** True for a GUID in its usual hyphenated form, in any case. */
export function isGuid(text: string): boolean {
  return GUID.test(text)
}
