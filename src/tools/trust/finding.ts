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

/** The ServiceAccounts that an object may have: of a namespace, or of all if it is absent. */
export interface Accounts {
  readonly namespace?: string
  readonly account?: string
}

/** Formats the subject of the tokens of a ServiceAccount. */
export function formatSubject(namespace: string, account: string): string {
  return `system:serviceaccount:${namespace}:${account}`
}

/** Collects the findings of all steps. */
export class Report {
  readonly findings: Finding[] = []
  /** The ServiceAccounts of the objects that errors leave out of the plan. */
  readonly #leftOut: Accounts[] = []

  /** Adds an error. Returns an empty list, for the caller to return. */
  error(object: string, problem: string, fix?: string): never[] {
    this.findings.push({ severity: 'error', object, problem, ...(fix !== undefined && { fix }) })
    return []
  }

  /** Adds an error that leaves an object with one of these ServiceAccounts out of the plan. Returns an empty list. */
  leaveOut(accounts: Accounts, object: string, problem: string, fix?: string): never[] {
    this.keep(accounts)
    return this.error(object, problem, fix)
  }

  /** Keeps the credentials of these ServiceAccounts from being called extra. */
  keep(accounts: Accounts): void {
    this.#leftOut.push(accounts)
  }

  isKept(subject: string): boolean {
    const [, , namespace, account] = subject.split(':')
    return this.#leftOut.some(
      (each) =>
        (each.namespace ?? namespace) === namespace && (each.account ?? account) === account,
    )
  }

  warning(object: string, problem: string, fix?: string): void {
    this.findings.push({ severity: 'warning', object, problem, ...(fix !== undefined && { fix }) })
  }

  hasErrors(): boolean {
    return this.findings.some(({ severity }) => severity === 'error')
  }
}
