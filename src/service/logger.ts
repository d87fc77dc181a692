/** The log: one line of JSON per event, with a stable name, on an output that never blocks. */
import pino from 'pino'
import type { LogEvent, LogLevel } from './events.ts'
import { writeSync } from 'node:fs'
import type { CommandIo } from '../lib/command.ts'

type Fields = Readonly<Record<string, unknown>>
type Write = (event: LogEvent, fields?: Fields) => void

export interface Logger {
  readonly debug: Write
  readonly info: Write
  readonly warn: Write
  readonly error: Write
}

export interface ProcessLog extends Logger {
  readonly level: LogLevel
  /** The number of lines of each event that the rate limit or the output has dropped since the start. */
  readonly dropped: Map<string, number>
}

interface LoggerOptions {
  readonly level: LogLevel
  readonly out: LogOutput
  /** A field whose values have separate rate limits. */
  readonly limitBy?: string
}

/** The audit trail: a line per token obtained, and per client library that gets it. */
const NEVER_LIMITED: ReadonlySet<string> = new Set(['token_obtained', 'token_served'])

/** Creates a logger that writes to `out` each event that its level and the rate limit of the event allow. */
export function createLogger({ level, out, limitBy = '' }: LoggerOptions): ProcessLog {
  let isWritten = true
  const destination = {
    write: (line: string) => {
      isWritten = out.write(escapeInvisible(line))
    },
  }
  const sink = pino(
    {
      level,
      base: null,
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    destination,
  )
  const dropped = new Map<string, number>()
  const countDropped = (event: string) => dropped.set(event, (dropped.get(event) ?? 0) + 1)
  /** Lines that the output has dropped since it last accepted one. */
  let lost = 0
  const writeLine = (name: keyof Logger, line: Fields & { readonly event: string }) => {
    isWritten = true
    sink[name](line)
    if (!isWritten) {
      countDropped(line.event)
      lost += 1
    } else if (lost > 0) {
      const count = lost
      lost = 0
      writeLine('warn', { event: 'log_output_stalled', count })
    }
  }
  const allow = createRateLimit((key, count) => {
    const [droppedEvent, value] = key.split(' ')
    writeLine('warn', {
      event: 'log_rate_limited',
      droppedEvent,
      ...(value && { [limitBy]: value }),
      count,
    })
  })
  const writers = createWriters((name) => (event, fields) => {
    if (!sink.isLevelEnabled(name)) return
    const value = fields?.[limitBy]
    const key = typeof value === 'string' ? `${event} ${value}` : event
    if (NEVER_LIMITED.has(event) || allow(key)) writeLine(name, { event, ...fields })
    else countDropped(event)
  })
  return { ...writers, level, dropped }
}

/** Creates the writers of all levels. */
export function createWriters(create: (name: keyof Logger) => Write): Logger {
  return {
    debug: create('debug'),
    info: create('info'),
    warn: create('warn'),
    error: create('error'),
  }
}

/** Control and formatting characters, which a terminal or a viewer of logs obeys, and line separators. */
const INVISIBLE = /(?!\n)[\p{C}\p{Zl}\p{Zp}]/gu

/** Escapes the invisible characters of JSON that JSON itself does not escape, such as U+202E. */
export function escapeInvisible(json: string): string {
  return json.replace(INVISIBLE, (character) =>
    character
      .split('')
      .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
      .join(''),
  )
}

const WINDOW_MS = 10_000
/** The maximum number of lines of one key within a window. */
const BURST = 10
/** The maximum number of keys in a window. Callers can invent keys. */
const MAX_KEYS = 50
const OTHER = 'other'

/**
 * Creates a rate limit: a function that returns whether a line of this key may be written now. `onDropped` is called at
 * the end of a window in which lines of the key were dropped.
 */
function createRateLimit(
  onDropped: (key: string, count: number) => void,
): (key: string) => boolean {
  const counts = new Map<string, number>()
  return (given) => {
    const key = counts.has(given) || counts.size < MAX_KEYS ? given : OTHER
    const count = counts.get(key)
    counts.set(key, (count ?? 0) + 1)
    if (count === undefined) {
      setTimeout(() => {
        const dropped = (counts.get(key) ?? 0) - BURST
        counts.delete(key)
        if (dropped > 0) onDropped(key, dropped)
      }, WINDOW_MS).unref()
    }
    return (count ?? 0) < BURST
  }
}

export interface LogOutput {
  /** Writes a line. Returns false if it is dropped. */
  write(line: string): boolean
}

/** The maximum bytes of buffered lines. Further lines are dropped. */
const MAX_BUFFERED = 65_536
/** The time between attempts to write buffered lines while no new line comes. */
const RETRY_MS = 100

/**
 * Creates an output that writes to standard output at once, so that no line is lost when the process ends. It never blocks.
 * Lines are buffered while a stalled reader or a full disk does not accept them. Once the buffer is full, lines are dropped
 * until the whole buffer has been written, so that the log has only one gap.
 */
export function createLogOutput({ stdout }: Pick<CommandIo, 'stdout'>): LogOutput {
  if (!('fd' in stdout)) {
    return {
      write: (line) => {
        stdout.write(line)
        return true
      },
    }
  }
  const fd = Number(stdout.fd)
  const lines: Buffer[] = []
  let bytes = 0
  let isFull = false
  let timer: NodeJS.Timeout | undefined

  /** Writes the buffered lines that the output accepts now. */
  const flush = () => {
    clearTimeout(timer)
    try {
      for (let line = lines[0]; line !== undefined; line = lines[0]) {
        const written = writeSync(fd, line)
        bytes -= written
        if (written < line.length) lines[0] = line.subarray(written)
        else lines.shift()
      }
      isFull = false
    } catch {
      timer = setTimeout(flush, RETRY_MS).unref()
    }
  }
  return {
    write: (text) => {
      if (bytes > 0) flush()
      const line = Buffer.from(text)
      isFull ||= bytes > 0 && bytes + line.length > MAX_BUFFERED
      if (isFull) return false
      lines.push(line)
      bytes += line.length
      flush()
      return true
    },
  }
}
