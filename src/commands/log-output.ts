/** Where a command that runs for long writes its log. */
import pino, { type DestinationStream } from 'pino'
import type { CommandIo } from './io.ts'

/** Characters of lines that could not be written yet; beyond it they are lost. */
const MAX_UNWRITTEN = 65_536

/**
 * The standard output, straight to its file descriptor: nothing is lost when the process ends. What a
 * reader that has stalled does not take waits for the next line, and nothing else waits for it. A log that
 * cannot be written ends no process.
 */
export function logOutput({ stdout }: Pick<CommandIo, 'stdout'>): DestinationStream {
  if (!('fd' in stdout)) return stdout
  const fd = Number(stdout.fd)
  const destination = pino.destination({ fd, sync: true, maxLength: MAX_UNWRITTEN, retryEAGAIN })
  destination.on('error', () => {})
  return destination
}

/** Trying again would be done asleep, with all that the process does. */
const retryEAGAIN = () => false
