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

/** Formats the subject of the tokens of a ServiceAccount. */
export function formatSubject(namespace: string, account: string): string {
  return `system:serviceaccount:${namespace}:${account}`
}

/** Collects the findings of all steps. */
export class Report {
  readonly findings: Finding[] = []
  /** Subjects and namespaces whose objects may need a credential that is not in the plan; undefined: every namespace. */
  readonly #kept = new Set<string | undefined>()

  /** Adds an error. Returns an empty list, for the caller to return. */
  error(object: string, problem: string, fix?: string): never[] {
    this.findings.push({ severity: 'error', object, problem, ...(fix !== undefined && { fix }) })
    return []
  }

  /** Adds an error that leaves an object of the namespace out of the plan. Returns an empty list. */
  leaveOut(namespace: string | undefined, object: string, problem: string, fix?: string): never[] {
    this.keep(namespace)
    return this.error(object, problem, fix)
  }

  /** Keeps the credentials of a subject, of a namespace, or of any, from being called extra. */
  keep(owner: string | undefined): void {
    this.#kept.add(owner)
  }

  isKept(subject: string): boolean {
    const [, , namespace] = subject.split(':')
    return [undefined, namespace, subject].some((owner) => this.#kept.has(owner))
  }

  warning(object: string, problem: string, fix?: string): void {
    this.findings.push({ severity: 'warning', object, problem, ...(fix !== undefined && { fix }) })
  }

  hasErrors(): boolean {
    return this.findings.some(({ severity }) => severity === 'error')
  }
}
