import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { LogLevel } from '../../src/service/events.ts'
import { createLogger } from '../../src/service/logger.ts'

function logging(level: LogLevel = 'info', isStalled = false) {
  const written: string[] = []
  const out = { write: (line: string) => !isStalled && written.push(line) > 0 }
  const log = createLogger({ level, out })
  return {
    log,
    written,
    events: () => written.map((line): Record<string, unknown> => JSON.parse(line)),
  }
}

describe('a line', () => {
  beforeEach(() => vi.useFakeTimers({ now: Date.UTC(2026, 10, 24, 12) }))
  afterEach(() => vi.useRealTimers())

  test('is one JSON object with level, time and event first', () => {
    const { log, written } = logging()
    log.info('listening', { addresses: ['127.0.0.1:8000'] })
    expect(written).toEqual([
      '{"level":"info","time":"2026-11-24T12:00:00.000Z","event":"listening","addresses":["127.0.0.1:8000"]}\n',
    ])
  })

  test('has no invisible characters', () => {
    const { log, written } = logging()
    const end = String.raw`"message":"a\u009b31m\u007f\u202e\u2028\udb40\udc01é"}` + '\n'
    const message = 'a\u009b31m\u007f\u202e\u2028\u{e0001}é'
    log.warn('exchange_failed', { message })
    expect(written[0]?.endsWith(end)).toBe(true)
    log.warn('exchange_failed', { problems: [message] })
    expect(written[1]).toMatch(/^[^\p{C}\u2028]+\n$/u)
  })
})

describe('the rate limit', () => {
  beforeEach(() => vi.useFakeTimers({ now: 0 }))
  afterEach(() => vi.useRealTimers())

  test('drops an event after ten lines, and logs the number dropped after ten seconds', () => {
    const { log, events } = logging()
    for (let index = 0; index < 500; index += 1) log.warn('request_rejected')
    log.warn('exchange_failed')
    expect(events()).toHaveLength(11)
    expect([...log.dropped]).toEqual([['request_rejected', 490]])
    vi.advanceTimersByTime(10_000)
    expect(events()).toHaveLength(12)
    expect(events().at(-1)).toMatchObject({
      event: 'log_rate_limited',
      droppedEvent: 'request_rejected',
      count: 490,
    })
    log.warn('request_rejected')
    expect(events()).toHaveLength(13)
  })

  test('counts a line that a stalled output drops, and none that the level drops after it', () => {
    const { log } = logging('error', true)
    for (let index = 0; index < 11; index += 1) log.error('exchange_failed')
    // The end of the window logs a warning.
    vi.advanceTimersByTime(10_000)
    expect([...log.dropped]).toEqual([['exchange_failed', 11]])
  })
})
