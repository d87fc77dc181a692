/** Runs one client in one mode, in a new process with its own environment and home folder. */
import { MODES } from '../harness/modes.ts'
import { runProcess } from '../harness/run-process.ts'
import { pathOnly } from '../harness/sandbox.ts'
import type { Stack } from '../harness/stack.ts'
import { findDetected, findProblem } from '../harness/token-check.ts'
import { createFolder } from '../../fixtures/folder.ts'
import type { Row } from './client.ts'

const RESOURCE = 'https://vault.azure.net'

/** The lifetime of tokens for a driver that requests a second one. SqlClient rejects so short a lifetime. */
export const SHORT_SECONDS = 5

export const isAskedAgain = ({ client, mode }: Row): boolean =>
  mode === 'injected-env' && client.asksAgain === true

export interface RowContext {
  readonly stack: Stack
  /** Folder of the client's workspace. */
  readonly workspace: string
  /** Additional variables. */
  readonly env?: Readonly<Record<string, string>>
}

/** Returns undefined if the client got the right tokens or the detector found no machine, otherwise the problem. */
export async function runRow(
  row: Row,
  { stack, workspace, env }: RowContext,
): Promise<string | undefined> {
  const { command, variant = 'managed', resource = RESOURCE, detects } = row.client
  const { identity, selector, environment } = MODES[row.mode]
  const asksAgain = isAskedAgain(row)
  // Clients store tokens and profiles in the home folder.
  using home = createFolder()
  const outcome = await runProcess([...command(workspace), variant, resource, ...selector], {
    env: {
      ...pathOnly(),
      HOME: home.path,
      LANG: 'C.UTF-8',
      PYTHONDONTWRITEBYTECODE: '1',
      ...environment(stack.endpoints),
      ...(asksAgain && { WIMDS_TEST_AGAIN_AFTER: `${SHORT_SECONDS + 1}` }),
      ...env,
      WIMDS_TEST_TENANT_ID: stack.simulator.tenantId,
    },
  })
  if (detects === true) return findDetected(outcome)
  return await findProblem(outcome, { identity, resource, count: asksAgain ? 2 : 1 }, stack.keys)
}
