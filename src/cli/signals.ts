/** Decides what a signal does to a command, and with which exit code. */
import type { CommandEntry } from './commands.ts'
import { EXIT_FAILED, type ExitCode } from './exit-codes.ts'

/** Exit codes by signal: 128 + its number, as in a shell. */
const SIGNAL_EXIT_CODES = { SIGINT: 130, SIGTERM: 143 } as const

type Table = Readonly<Record<string, Pick<CommandEntry, 'isLongRunning'>>>

/** Returns the exit codes after signals and their meanings. `table` has all commands. */
export function describeSignalExits(table: Table): ExitCode[] {
  const names = Object.keys(table).filter((name) => table[name]?.isLongRunning === true)
  const list = new Intl.ListFormat('en-GB').format(names)
  return Object.entries(SIGNAL_EXIT_CODES).map(([signal, code]) => [
    code,
    `ended by ${signal}; ${list} shut down instead`,
  ])
}

/**
 * Returns the exit code of a process that gets a signal; undefined if the command shuts down first. A second signal ends a
 * graceful shutdown.
 */
export function findSignalExit(
  signal: keyof typeof SIGNAL_EXIT_CODES,
  { isLongRunning, isShuttingDown }: { isLongRunning: boolean; isShuttingDown: boolean },
): number | undefined {
  if (!isLongRunning) return SIGNAL_EXIT_CODES[signal]
  return isShuttingDown ? EXIT_FAILED : undefined
}
