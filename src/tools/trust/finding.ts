/** A problem of an input object, or a fact to know about it. */
export interface Finding {
  /** An `error`: something is left out of the output. */
  readonly severity: 'error' | 'warning'
  /** Such as `ServiceAccount shop/orders`. */
  readonly object: string
  /** The problem, the value, and the fix. */
  readonly message: string
}

export interface Report {
  /** Adds an error. Returns the empty list of what is left out. */
  error(object: string, message: string): never[]
  warning(object: string, message: string): void
}

/** Creates a report that adds to the findings. */
export function createReport(findings: Finding[]): Report {
  return {
    error(object, message) {
      findings.push({ severity: 'error', object, message })
      return []
    },
    warning: (object, message) => void findings.push({ severity: 'warning', object, message }),
  }
}
