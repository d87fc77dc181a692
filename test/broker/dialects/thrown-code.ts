import { BrokerError, type ErrorCode } from '../../../src/lib/errors.ts'

/** Returns the `BrokerError` that `run` throws. */
export function thrown(run: () => unknown): BrokerError {
  try {
    run()
  } catch (error) {
    if (error instanceof BrokerError) return error
    throw error
  }
  throw new Error('nothing was thrown')
}

/** Returns the code of the `BrokerError` that `run` throws; undefined if it throws nothing. */
export function thrownCode(run: () => unknown): ErrorCode | undefined {
  try {
    run()
    return undefined
  } catch (error) {
    if (error instanceof BrokerError) return error.code
    throw error
  }
}
