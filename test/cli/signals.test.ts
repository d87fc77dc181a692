import { expect, test } from 'vitest'
import { findSignalExit } from '../../src/cli/signals.ts'

test.each([
  [{ isLongRunning: false, isShuttingDown: false }, 143],
  [{ isLongRunning: true, isShuttingDown: false }, undefined],
  [{ isLongRunning: true, isShuttingDown: true }, 1],
])('SIGTERM ends a command that is %j with %s', (command, code) => {
  expect(findSignalExit('SIGTERM', command)).toBe(code)
})
