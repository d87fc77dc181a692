/** What the simulated servers were asked and answered: counters and a bounded log, never a token. */
import type { FaultTarget } from './faults.ts'

/** One request and its outcome. Query strings, forms and bodies are left out on purpose. */
interface LoggedExchange {
  /** ISO 8601. */
  readonly at: string
  readonly target: FaultTarget
  readonly method: string
  readonly path: string
  readonly clientId?: string
  /** The `scope` or `resource` asked for. */
  readonly resource?: string
  readonly correlationId?: string
  /** HTTP status, or what happened to the socket. */
  readonly outcome: number | 'hang' | 'reset'
  /** The AADSTS number of a refusal. */
  readonly aadsts?: number
  readonly durationMs: number
}

interface ExchangeCounters {
  readonly total: number
  readonly byTarget: Readonly<Record<FaultTarget, number>>
  /** Token requests by client id. */
  readonly byClientId: Readonly<Record<string, number>>
  /** Refusals by AADSTS number. */
  readonly byAadsts: Readonly<Record<string, number>>
  /** Token requests that were answered with 200. */
  readonly issued: number
}

export interface ExchangeLog {
  record(exchange: LoggedExchange): void
  /** The last exchanges, oldest first. */
  entries(): readonly LoggedExchange[]
  /** Counts of everything since the last `clear`, also of what has left the log. */
  counters(): ExchangeCounters
  clear(): void
}

/** Keeps the last `max` exchanges, and counts all. */
export function createExchangeLog(max = 1000): ExchangeLog {
  let entries: LoggedExchange[] = []
  let counters = noExchanges()
  return {
    record(exchange) {
      entries.push(exchange)
      if (entries.length > max) entries = entries.slice(-max)
      counters = counted(counters, exchange)
    },
    entries: () => entries,
    counters: () => counters,
    clear() {
      entries = []
      counters = noExchanges()
    },
  }
}

const noExchanges = (): ExchangeCounters => ({
  total: 0,
  byTarget: { token: 0, metadata: 0, issuer: 0, vault: 0 },
  byClientId: {},
  byAadsts: {},
  issued: 0,
})

function counted(counters: ExchangeCounters, exchange: LoggedExchange): ExchangeCounters {
  const { target, clientId, aadsts, outcome } = exchange
  return {
    total: counters.total + 1,
    byTarget: { ...counters.byTarget, [target]: counters.byTarget[target] + 1 },
    byClientId: plusOne(counters.byClientId, clientId),
    byAadsts: plusOne(counters.byAadsts, aadsts === undefined ? undefined : String(aadsts)),
    issued: counters.issued + (target === 'token' && outcome === 200 ? 1 : 0),
  }
}

const plusOne = (
  counts: Readonly<Record<string, number>>,
  key: string | undefined,
): Readonly<Record<string, number>> =>
  key === undefined ? counts : { ...counts, [key]: (counts[key] ?? 0) + 1 }
