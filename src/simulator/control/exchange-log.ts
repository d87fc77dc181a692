/** What the simulated servers were asked and answered: counters and a bounded log, never a token. */
import type { FaultTarget } from '../faults/faults.ts'

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

/** Longer texts of callers are cut. */
const MAX_LENGTH = 256
/** Client ids that are counted apart; the rest are `others`. */
const MAX_CLIENT_IDS = 1000

/** Keeps the last `max` exchanges, and counts all. */
export function createExchangeLog(max = 1000): ExchangeLog {
  let entries: LoggedExchange[] = []
  let counts = noExchanges()
  return {
    record(exchange) {
      const kept = inFewWords(exchange)
      entries.push(kept)
      if (entries.length > max) entries.shift()
      count(counts, kept)
    },
    entries: () => entries,
    counters: () => ({
      ...counts,
      byTarget: { ...counts.byTarget },
      byClientId: Object.fromEntries(counts.byClientId),
      byAadsts: Object.fromEntries(counts.byAadsts),
    }),
    clear() {
      entries = []
      counts = noExchanges()
    },
  }
}

const noExchanges = () => ({
  total: 0,
  byTarget: { token: 0, metadata: 0, issuer: 0, vault: 0 },
  byClientId: new Map<string, number>(),
  byAadsts: new Map<string, number>(),
  issued: 0,
})

function count(counts: ReturnType<typeof noExchanges>, exchange: LoggedExchange): void {
  const { target, clientId, aadsts, outcome } = exchange
  const { byTarget, byClientId, byAadsts } = counts
  counts.total += 1
  byTarget[target] += 1
  if (clientId !== undefined) {
    const isApart = byClientId.has(clientId) || byClientId.size < MAX_CLIENT_IDS
    addOne(byClientId, isApart ? clientId : 'others')
  }
  if (aadsts !== undefined) addOne(byAadsts, String(aadsts))
  if (target === 'token' && outcome === 200) counts.issued += 1
}

const addOne = (counts: Map<string, number>, key: string): void => {
  counts.set(key, (counts.get(key) ?? 0) + 1)
}

function inFewWords(exchange: LoggedExchange): LoggedExchange {
  const { method, path, clientId, resource, correlationId } = exchange
  return {
    ...exchange,
    method: cut(method),
    path: cut(path),
    ...(clientId !== undefined && { clientId: cut(clientId) }),
    ...(resource !== undefined && { resource: cut(resource) }),
    ...(correlationId !== undefined && { correlationId: cut(correlationId) }),
  }
}

/** A copy: V8 would keep the whole form, its assertion included, for a part that was taken out of it. */
function cut(text: string): string {
  const start = text.length > MAX_LENGTH ? `${text.slice(0, MAX_LENGTH - 1)}…` : text
  return Buffer.from(start).toString()
}
