/** Changes the log level of a running process: by SIGUSR2, or on the admin port. */
import type { LogLevel } from '../config/settings.ts'
import type { ProcessLog } from './logger.ts'

/** Each signal goes one level further, and at the end back to the usual one. */
const NEXT: Readonly<Record<LogLevel, LogLevel>> = {
  silent: 'error',
  error: 'warn',
  warn: 'info',
  info: 'debug',
  debug: 'info',
}

/** Sets the level, and says so whatever the level is: somebody asked for it and waits to see it. */
export function changeLevel(log: ProcessLog, level: LogLevel, by: 'signal' | 'admin'): void {
  const from = log.level()
  log.setLevel('info')
  log.info('log_level_changed', { from, to: level, by })
  log.setLevel(level)
}

interface SignalSource {
  on(signal: 'SIGUSR2', listener: () => void): unknown
  off(signal: 'SIGUSR2', listener: () => void): unknown
}

/** Each SIGUSR2 makes the log say more, until it is back at `info`; gives back what stops it. */
export function cycleOnSignal(log: ProcessLog, source: SignalSource): () => void {
  const cycle = () => changeLevel(log, NEXT[log.level()], 'signal')
  source.on('SIGUSR2', cycle)
  return () => source.off('SIGUSR2', cycle)
}
