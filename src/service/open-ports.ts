/** Opens the ports of a server command, or says why not. */
import { BrokerError } from '../lib/errors.ts'
import { errorMessage } from '../lib/describe-error.ts'
import { errorFields } from './describe-failure.ts'
import type { ProcessLog } from './logger.ts'
import type { CommandIo } from '../lib/command.ts'
import { printError } from '../lib/print-error.ts'

interface FailureOutput {
  readonly io: Pick<CommandIo, 'stderr'>
  readonly log: ProcessLog
  /** The name of the program, such as `wimds serve`. */
  readonly program: string
  /** Completes "choose another port by …". */
  readonly setBy: string
}

/**
 * Awaits `bind` or `listen`. Returns undefined after logging `listen_failed` if they fail; a silent log makes it
 * standard error instead. The command then returns 1.
 */
export async function openPorts<T>(
  opened: Promise<T>,
  { io, log, program, setBy }: FailureOutput,
): Promise<T | undefined> {
  try {
    return await opened
  } catch (error) {
    const failure = new BrokerError(
      'listen_failed',
      `cannot listen: ${errorMessage(error)}`,
      `choose another port by ${setBy}`,
    )
    log.error('listen_failed', errorFields(failure))
    if (log.level === 'silent') printError(io, program, failure.message)
    return undefined
  }
}
