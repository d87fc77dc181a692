/** A problem of an input object, or a fact to know about it. */
export interface Finding {
  /** An `error`: something is left out of the output, or `--check` fails. */
  readonly severity: 'error' | 'warning'
  /** The object with the problem, such as `ServiceAccount shop/orders`. */
  readonly object: string
  /** The problem, with the wrong value. */
  readonly problem: string
  readonly fix?: string
}

export interface Report {
  /** Adds an error. Returns an empty list, for the caller to return. */
  error(object: string, problem: string, fix?: string): never[]
  warning(object: string, problem: string, fix?: string): void
}

/** Creates a report that adds to the findings. */
export function createReport(findings: Finding[]): Report {
  const add =
    (severity: Finding['severity']) => (object: string, problem: string, fix?: string) => {
      findings.push({ severity, object, problem, ...(fix !== undefined && { fix }) })
      return []
    }
  return { error: add('error'), warning: add('warning') }
}
