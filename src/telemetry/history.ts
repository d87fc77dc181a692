/** What happened lately, for people who look: the last exchanges and the refusals by kind. */
import type { ReplyEvent } from '../server/wire.ts'
import type { ExchangeEvent } from '../tokens/observed.ts'
import type { SeenClient } from './client-inventory.ts'

export interface PastExchange extends ExchangeEvent {
  /** When it ended, epoch milliseconds. */
  readonly endedAt: number
}

/** Replies of one kind: one code of one dialect to one kind of client. */
export interface Refusals {
  readonly dialect: string
  readonly client: SeenClient
  readonly error: NonNullable<ReplyEvent['error']>
  readonly count: number
  /** Epoch milliseconds. */
  readonly lastAt: number
}

export interface History {
  readonly onExchange: (event: ExchangeEvent) => void
  readonly onReply: (event: ReplyEvent, client: SeenClient) => void
  /** The latest first. */
  readonly exchanges: () => readonly PastExchange[]
  /** The latest first. */
  readonly refusals: () => readonly Refusals[]
}

const KEPT = 20

/** Remembers twenty of each. `now` gives epoch milliseconds. */
export function history(now: () => number): History {
  const exchanges: PastExchange[] = []
  // A Map remembers the order of insertion: the first is the longest ago.
  const refusals = new Map<string, Refusals>()

  return {
    onExchange: (event) => {
      exchanges.unshift({ ...event, endedAt: now() })
      exchanges.splice(KEPT)
    },
    onReply: ({ dialect, error }, client) => {
      if (error === undefined) return
      const key = `${dialect} ${error.code} ${client.family.id}`
      const count = (refusals.get(key)?.count ?? 0) + 1
      refusals.delete(key)
      refusals.set(key, { dialect, client, error, count, lastAt: now() })
      const [oldest] = refusals.keys()
      if (refusals.size > KEPT && oldest !== undefined) refusals.delete(oldest)
    },
    exchanges: () => [...exchanges],
    refusals: () => [...refusals.values()].toReversed(),
  }
}
