/** Log and counters of the requests to simulated servers. No token is recorded. */
import type { FaultTarget } from '../faults/faults.ts'

/** One request and its outcome, without query string, form and body. */
interface LoggedExchange {
  /** ISO 8601. */
  readonly at: string
  readonly target: FaultTarget
  readonly method: string
  readonly path: string
  readonly clientId?: string | undefined
  /** The requested scope. */
  readonly resource?: string | undefined
  readonly correlationId?: string | undefined
  /** HTTP status or socket fault. */
  readonly outcome: number | 'hang' | 'reset'
  /** AADSTS code of an error. */
  readonly aadsts?: number | undefined
  readonly durationMs: number
}

export type ExchangeLog = ReturnType<typeof createExchangeLog>

const MAX_ENTRIES = 1000

/** Creates a log of the last exchanges, with counts of all. */
export function createExchangeLog() {
  let entries: LoggedExchange[] = []
  let counters = createCounters()
  return {
    record(exchange: LoggedExchange): void {
      entries.push(exchange)
      if (entries.length > MAX_ENTRIES) entries.shift()
      counters.byTarget[exchange.target] += 1
      if (exchange.target === 'token' && exchange.outcome === 200) counters.issued += 1
    },
    /** Returns the last exchanges, oldest first. */
    entries: (): readonly LoggedExchange[] => entries,
    /** Returns the counts since the last `clear`, including entries that the log no longer has. */
    counters: () => counters,
    clear(): void {
      entries = []
      counters = createCounters()
    },
  }
}

/** Counts the exchanges. All attempts of an exchange have the same correlation id. */
export function countExchanges(entries: readonly LoggedExchange[]): number {
  const tokens = entries.filter(({ target }) => target === 'token')
  return new Set(tokens.map(({ correlationId }) => correlationId ?? Symbol('none'))).size
}

const createCounters = () => ({
  byTarget: { token: 0, metadata: 0, issuer: 0 } satisfies Record<FaultTarget, number>,
  /** Token requests answered with 200. */
  issued: 0,
})
