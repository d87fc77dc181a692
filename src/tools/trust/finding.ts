/** A problem of an input object, or a fact to know about it. */
export interface Finding {
  /** An `error`: something is left out of the output. */
  readonly severity: 'error' | 'warning'
  /** Such as `ServiceAccount shop/orders`. */
  readonly object: string
  /** The problem, the value, and the fix. */
  readonly message: string
}

export type Report = (severity: Finding['severity'], object: string, message: string) => void

/** Creates a report that adds to the findings. */
export function createReport(findings: Finding[]): Report {
  return (severity, object, message) => void findings.push({ severity, object, message })
}
