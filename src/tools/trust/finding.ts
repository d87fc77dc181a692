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

/** Collects the findings of all steps. */
export class Report {
  readonly findings: Finding[] = []

  /** Adds an error. Returns an empty list, for the caller to return. */
  error(object: string, problem: string, fix?: string): never[] {
    this.findings.push({ severity: 'error', object, problem, ...(fix !== undefined && { fix }) })
    return []
  }

  warning(object: string, problem: string, fix?: string): void {
    this.findings.push({ severity: 'warning', object, problem, ...(fix !== undefined && { fix }) })
  }

  hasErrors(): boolean {
    return this.findings.some(({ severity }) => severity === 'error')
  }
}
