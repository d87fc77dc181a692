/** One line per event, with a stable name, on standard output: JSON for machines, text for people. */
import pino, { type DestinationStream } from 'pino'
import type { Config } from '../config/config.ts'
import { type BrokerError, toBrokerError } from '../errors.ts'
import { scrub } from '../secret.ts'

type Fields = Readonly<Record<string, unknown>>
type Write = (event: string, fields?: Fields) => void

export interface Logger {
  readonly debug: Write
  readonly info: Write
  readonly warn: Write
  readonly error: Write
}

interface LoggerOptions {
  readonly level: Config['log']['level']
  readonly format: 'json' | 'text'
  readonly out: DestinationStream
}

export function logger({ level, format, out }: LoggerOptions): Logger {
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
  const at =
    (name: 'debug' | 'info' | 'warn' | 'error'): Write =>
    (event, fields = {}) =>
      sink[name]({ event, ...fields })
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}

/**
 * The fields of an error: what happened and what to do, without a stack, except for a fault of
 * wimds itself. Causes can hold text of other servers, so they pass the scrubber.
 */
export function errorFields(thrown: unknown): Fields {
  const error: BrokerError = toBrokerError(thrown)
  const cause = error.cause instanceof Error ? error.cause : undefined
  return {
    code: error.code,
    message: scrub(error.message),
    ...(error.entra?.aadsts !== undefined && { aadsts: error.entra.aadsts }),
    ...(error.entra?.traceId !== undefined && { entraTraceId: error.entra.traceId }),
    ...(error.entra?.correlationId !== undefined && {
      entraCorrelationId: error.entra.correlationId,
    }),
    ...(cause !== undefined && {
      cause: scrub(error.code === 'internal' ? String(cause.stack) : cause.message),
    }),
  }
}

/** `12:00:00.000 warn  event key=value …` */
function asText(line: string): string {
  const { time, level, event, ...fields } = parse(line)
  const pairs = Object.entries(fields).map(
    ([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
  )
  return `${[String(time).slice(11, 23), String(level).padEnd(5), event, ...pairs].join(' ')}\n`
}

/** A line that pino wrote is always a JSON object. */
function parse(line: string): Record<string, unknown> {
  return JSON.parse(line)
}
