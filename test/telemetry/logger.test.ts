import { EventEmitter } from 'node:events'
import { readdir, readFile } from 'node:fs/promises'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { LOG_LEVELS, type LogLevel } from '../../src/config/settings.ts'
import { BrokerError, ERROR_KINDS, type ErrorCode } from '../../src/errors.ts'
import { errorFields } from '../../src/telemetry/error-fields.ts'
import { EVENTS } from '../../src/telemetry/events.ts'
import { changeLevel, cycleOnSignal } from '../../src/telemetry/log-level.ts'
import { logger } from '../../src/telemetry/logger.ts'
import { refusalLevel } from '../../src/telemetry/refusal-level.ts'

function logging(level: LogLevel = 'info', format: 'json' | 'text' = 'json') {
  const written: string[] = []
  const log = logger({ level, format, out: { write: (line) => written.push(line) } })
  return {
    log,
    written,
    events: () => written.map((line): Record<string, unknown> => JSON.parse(line)),
  }
}

describe('a line', () => {
  beforeEach(() => vi.useFakeTimers({ now: Date.UTC(2026, 10, 24, 12) }))
  afterEach(() => vi.useRealTimers())

  test('is one JSON object with time, level and event first', () => {
    const { log, written } = logging()
    log.info('listening', { addresses: ['127.0.0.1:8000'] })
    expect(written).toEqual([
      '{"level":"info","time":"2026-11-24T12:00:00.000Z","event":"listening","addresses":["127.0.0.1:8000"]}\n',
    ])
  })

  test('is text for people on a terminal', () => {
    const { log, written } = logging('info', 'text')
    log.warn('exchange_failed', { code: 'entra_timeout', durationMs: 10_000 })
    expect(written).toEqual([
      '12:00:00.000 warn  exchange_failed code=entra_timeout durationMs=10000\n',
    ])
  })

  test('of text keeps to one line whatever is in it', () => {
    const { log, written } = logging('info', 'text')
    log.warn('exchange_failed', { message: 'a\r\nb\u001b[31m' })
    expect(written).toEqual([
      String.raw`12:00:00.000 warn  exchange_failed message="a\r\nb\u001b[31m"` + '\n',
    ])
  })
})

describe('the level', () => {
  test('can be changed while it runs, and the log says so at every level', () => {
    for (const from of LOG_LEVELS) {
      for (const to of LOG_LEVELS) {
        const { log, events } = logging(from)
        changeLevel(log, to, 'admin')
        expect(log.level()).toBe(to)
        expect(events()).toMatchObject([{ event: 'log_level_changed', from, to, by: 'admin' }])
      }
    }
  })

  test('goes one further by each signal, and from debug back to info, until that is stopped', () => {
    const { log } = logging('silent')
    const source = new EventEmitter()
    const stop = cycleOnSignal(log, source)
    const levels = [1, 2, 3, 4, 5, 6].map(() => {
      source.emit('SIGUSR2')
      return log.level()
    })
    expect(levels).toEqual(['error', 'warn', 'info', 'debug', 'info', 'debug'])
    stop()
    source.emit('SIGUSR2')
    expect(log.level()).toBe('debug')
  })

  test.each<[ErrorCode, string]>([
    ['metadata_header_missing', 'debug'],
    ['not_found', 'debug'],
    ['entra_timeout', 'info'],
    ['application_refused', 'info'],
    ['host_not_allowed', 'warn'],
    ['identity_not_found', 'warn'],
    ['resource_not_allowed', 'warn'],
    ['internal', 'error'],
  ])('of a reply %s is %s', (code, level) => {
    expect(refusalLevel(code)).toBe(level)
  })
})

describe('a flood', () => {
  beforeEach(() => vi.useFakeTimers({ now: 0 }))
  afterEach(() => vi.useRealTimers())

  test('is cut off at ten lines of one event and code, and summed up after ten seconds', () => {
    const { log, events } = logging()
    for (let index = 0; index < 500; index += 1) {
      log.warn('request_rejected', { code: 'host_not_allowed' })
    }
    log.warn('request_rejected', { code: 'identity_not_found' })
    expect(events()).toHaveLength(11)
    expect([...log.suppressed()]).toEqual([{ labels: ['request_rejected'], value: 490 }])
    vi.advanceTimersByTime(10_000)
    expect(events().at(-1)).toMatchObject({
      event: 'log_rate_limited',
      suppressedEvent: 'request_rejected',
      code: 'host_not_allowed',
      count: 490,
    })
    log.warn('request_rejected', { code: 'host_not_allowed' })
    expect(events()).toHaveLength(13)
  })

  test('below the level is not counted', () => {
    const { log } = logging('warn')
    for (let index = 0; index < 50; index += 1) log.info('token_obtained')
    expect([...log.suppressed()]).toEqual([])
  })
})

describe('an error', () => {
  test('has the ids for a support ticket', () => {
    const entra = { aadsts: 700213, traceId: 'a-trace', correlationId: 'a-correlation' }
    expect(
      errorFields(new BrokerError('federated_credential_not_found', 'no match', { entra })),
    ).toEqual({
      code: 'federated_credential_not_found',
      message: 'no match',
      aadsts: 700213,
      entraTraceId: 'a-trace',
      entraCorrelationId: 'a-correlation',
    })
  })

  test('names its cause, unless that says the same again', () => {
    const cause = new Error('connect ECONNREFUSED')
    expect(
      errorFields(new BrokerError('entra_unreachable', 'unreachable', { cause })),
    ).toMatchObject({
      cause: 'connect ECONNREFUSED',
    })
    const same = new BrokerError('federated_credential_not_found', 'no match')
    expect(errorFields(new BrokerError('trust_propagating', 'no match', { cause: same }))).toEqual({
      code: 'trust_propagating',
      message: 'no match',
    })
  })

  test('that nobody expected has its stack in the log alone', () => {
    expect(errorFields(new TypeError('x is not a function'))).toMatchObject({
      code: 'internal',
      message: expect.not.stringContaining('x is not'),
      cause: expect.stringMatching(/x is not a function\n\s+at /),
    })
  })
})

describe('docs/logs.md', () => {
  test('lists the events, and each with its meaning', async () => {
    const page = await readFile('docs/logs.md', 'utf8')
    const [events = ''] = page.split('## How loud')
    const rows = [...events.matchAll(/^\| `(\w+)`\s*\| (.*?)\s*\|$/gm)]
    const listed = Object.fromEntries(rows.map(([, event = '', meaning = '']) => [event, meaning]))
    expect(listed).toEqual(EVENTS)
  })

  test('lists the events of the webhook', async () => {
    const page = await readFile('docs/logs.md', 'utf8')
    const [, section = ''] = /## The webhook\n([^#]+)/.exec(page) ?? []
    const listed = [...section.matchAll(/^\| `(\w+)`/gm)].map(([, event]) => event)
    const source = await readFile('src/commands/webhook/webhook.ts', 'utf8')
    const logged = [...source.matchAll(/\bevent(?::| =) '(\w+)'/g)].map(([, event]) => event)
    expect(new Set(listed)).toEqual(new Set(logged))
  })

  test('lists no event that the source never logs', async () => {
    const names = await readdir('src', { recursive: true })
    const files = names.filter((name) => name.endsWith('.ts') && !name.endsWith('events.ts'))
    const source = (await Promise.all(files.map((name) => readFile(`src/${name}`, 'utf8')))).join()
    expect(Object.keys(EVENTS).filter((event) => !source.includes(`'${event}'`))).toEqual([])
  })

  test('every code has a level', () => {
    for (const code of Object.keys(ERROR_KINDS))
      expect(refusalLevel(code as ErrorCode)).toBeTruthy() // oxlint-disable-line no-unsafe-type-assertion -- keys
  })
})
