/** Runs the JavaScript clients of the matrix against a sidecar on loopback. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { MODES } from './harness/modes.ts'
import { startStack, type Stack } from './harness/stack.ts'
import { formatTitle } from './matrix/client.ts'
import { ALL_ROWS } from './matrix/clients.ts'
import { runRow } from './matrix/run-row.ts'

const rows = ALL_ROWS.filter(
  ({ client, mode }) =>
    client.workspace === 'js' && !MODES[mode].needsLinkLocal && mode !== 'injected-env',
)

let stack: Stack

beforeAll(async () => {
  stack = await startStack()
})

afterAll(() => stack[Symbol.asyncDispose]())

test.for(rows.map((row) => ({ title: formatTitle(row), row })))(
  '$title gets the right token',
  async ({ row }) => {
    expect(await runRow(row, { stack, workspace: '' })).toBeUndefined()
  },
)
