/** The caller's trace, as W3C Trace Context writes it, in the form in which Entra ID takes it. */

/** Version, trace id, parent id and flags; what a later version puts behind them is not for us. */
const TRACEPARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-.*)?$/
const ALL_ZEROS = /^0+$/

/**
 * The trace id of a `traceparent` header as the GUID that Entra ID calls client-request-id; undefined
 * for a header that is absent or invalid, which the specification says to ignore (sections 3.2 and 4.3).
 */
export function correlationIdOf(traceparent: string | string[] | undefined): string | undefined {
  if (typeof traceparent !== 'string') return undefined
  const [, version, traceId = '', parentId = '', rest] = TRACEPARENT.exec(traceparent) ?? []
  if (version === undefined || version === 'ff') return undefined
  if (version === '00' && rest !== undefined) return undefined
  if (ALL_ZEROS.test(traceId) || ALL_ZEROS.test(parentId)) return undefined
  return traceId.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}
