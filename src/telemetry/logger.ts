/** One line per event, with a stable name, on standard output: JSON for machines, text for people. */
import pino, { type DestinationStream } from 'pino'
import type { LogLevel } from '../config/settings.ts'
import { tally } from './counts.ts'
import type { EventName } from './events.ts'
import type { Sample } from './exposition.ts'
import { sampler } from './sampled.ts'

type Fields = Readonly<Record<string, unknown>>
type Write = (event: EventName, fields?: Fields) => void

export interface Logger {
  readonly debug: Write
  readonly info: Write
  readonly warn: Write
  readonly error: Write
}

/** The log of a process: its level can be changed while it runs. */
export interface ProcessLog extends Logger {
  readonly level: () => LogLevel
  readonly setLevel: (level: LogLevel) => void
  /** Lines left out since the start, by event. */
  readonly suppressed: () => Iterable<Sample>
}

interface LoggerOptions {
  readonly level: LogLevel
  readonly format: 'json' | 'text'
  readonly out: DestinationStream
  /** Lines of one event and code that are written within ten seconds; see `sampler`. */
  readonly burst?: number
}

/** Writes a line to `out` for each event that the level lets through; floods are cut as `sampler` says. */
export function logger({ level, format, out, ...limits }: LoggerOptions): ProcessLog {
  const destination = format === 'json' ? out : { write: (line: string) => out.write(asText(line)) }
  const sink = pino(
    {
      level,
      base: null,
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    destination,
  )
  const suppressed = tally()
  let current = level
  const flood = sampler({
    ...limits,
    onSuppressed: (suppressedEvent, code, count) => {
      sink.warn({ event: 'log_rate_limited', suppressedEvent, ...(code !== '' && { code }), count })
    },
  })
  const at =
    (name: 'debug' | 'info' | 'warn' | 'error'): Write =>
    (event, fields = {}) => {
      if (!sink.isLevelEnabled(name)) return
      const { code } = fields
      if (flood.admits(event, typeof code === 'string' ? code : ''))
        sink[name]({ event, ...fields })
      else suppressed.add(event)
    }
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    level: () => current,
    setLevel: (next) => {
      current = next
      sink.level = next
    },
    suppressed: suppressed.samples,
  }
}

/** `12:00:00.000 warn  event key=value …` */
function asText(line: string): string {
  const { time, level, event, ...fields } = parse(line)
  const pairs = Object.entries(fields).map(
    ([key, value]) => `${key}=${typeof value === 'string' ? word(value) : JSON.stringify(value)}`,
  )
  return `${[String(time).slice(11, 23), String(level).padEnd(5), event, ...pairs].join(' ')}\n`
}

/** In quotes where it would not be one word; nothing in it can end the line or steer a terminal. */
function word(text: string): string {
  if (/^[^\s"=\p{C}]+$/u.test(text)) return text
  return JSON.stringify(text).replace(/\p{C}/gu, '?')
}

/** A line that pino wrote is always a JSON object. */
function parse(line: string): Record<string, unknown> {
  return JSON.parse(line)
}
