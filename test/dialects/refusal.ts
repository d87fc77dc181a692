/** What a dialect refuses. */
import { BrokerError, type ErrorCode } from '../../src/errors.ts'

/** The code of what `run` throws; undefined when it throws nothing. */
export function refusal(run: () => unknown): ErrorCode | undefined {
  try {
    run()
    return undefined
  } catch (error) {
    if (error instanceof BrokerError) return error.code
    throw error
  }
}
