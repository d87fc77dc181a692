/** The log output of long-running commands. */
import pino, { type DestinationStream } from 'pino'
import type { CommandIo } from './command.ts'

/** Characters of buffered lines; further lines are dropped. */
const MAX_BUFFERED = 65_536

/**
 * Creates a destination that writes standard output synchronously, so that no line is lost when the process
 * ends. It never blocks: lines that a stalled reader does not take are buffered. Write errors are ignored.
 */
export function createLogOutput({ stdout }: Pick<CommandIo, 'stdout'>): DestinationStream {
  if (!('fd' in stdout)) return stdout
  const fd = Number(stdout.fd)
  const destination = pino.destination({ fd, sync: true, maxLength: MAX_BUFFERED, retryEAGAIN })
  destination.on('error', () => {})
  return destination
}

/** Returns false: pino would block the event loop while it waits to retry. */
const retryEAGAIN = () => false
