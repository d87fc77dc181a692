const GUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

/** Returns true for a GUID in its hyphenated form, in any case. */
export function isGuid(text: string): boolean {
  return GUID.test(text)
}
