/** Changes the log level of a running process: SIGUSR2 walks through the levels. */
import type { LogLevel, ProcessLog } from './logger.ts'

/** Each signal goes one level on, from the quietest to the most talkative and round again. */
const NEXT: Readonly<Record<LogLevel, LogLevel>> = {
  silent: 'error',
  error: 'warn',
  warn: 'info',
  info: 'debug',
  debug: 'info',
}

/** Sets the level and says so, at whichever of the two levels says more. */
export function changeLevel(log: ProcessLog, level: LogLevel, by: 'signal' | 'admin'): void {
  const before = log.level()
  if (level !== 'silent') log.setLevel(level)
  log.warn('log_level_changed', { from: before, to: level, by })
  log.setLevel(level)
}

interface SignalSource {
  on(signal: 'SIGUSR2', listener: () => void): unknown
  off(signal: 'SIGUSR2', listener: () => void): unknown
}

/** Between `info` and `debug`, from wherever it starts; gives back what stops it. */
export function cycleOnSignal(log: ProcessLog, source: SignalSource): () => void {
  const cycle = () => changeLevel(log, NEXT[log.level()], 'signal')
  source.on('SIGUSR2', cycle)
  return () => source.off('SIGUSR2', cycle)
}
