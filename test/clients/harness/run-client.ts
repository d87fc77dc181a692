/** Runs one client in one mode, in a new process with its own environment and home folder. */
import { MODES, type ModeName } from './modes.ts'
import { runProcess, type Command } from './run-process.ts'
import { pathOnly } from './sandbox.ts'
import type { Stack } from './stack.ts'
import { findDetected, findProblem } from './token-check.ts'
import { createFolder } from '../../fixtures/folder.ts'

export interface ClientRun {
  /** The driver's command, without VARIANT and the arguments after it. */
  readonly command: Command
  /** Selects a credential of the driver. Some drivers have one only. */
  readonly variant: string
  readonly resource: string
  readonly mode: ModeName
  /** True for a detector, which finds no machine and gets no token. */
  readonly detects?: boolean
  /** After how many seconds the driver asks for a second token, by when the first one has ended. Default: it does not. */
  readonly againAfter?: number | undefined
  /** Additional variables. */
  readonly env?: Readonly<Record<string, string>>
}

/** Returns undefined when the client got the right token, or the detector found no machine, otherwise the problem. */
export async function runClient(
  stack: Stack,
  { command, variant, resource, mode, detects, againAfter, env }: ClientRun,
): Promise<string | undefined> {
  const { identity, selector, environment } = MODES[mode]
  // Clients store tokens and profiles in the home folder.
  using home = createFolder()
  const outcome = await runProcess([...command, variant, resource, ...selector], {
    env: {
      ...pathOnly(),
      HOME: home.path,
      LANG: 'C.UTF-8',
      PYTHONDONTWRITEBYTECODE: '1',
      ...environment(stack.endpoints),
      ...(againAfter !== undefined && { WIMDS_TEST_AGAIN_AFTER: `${againAfter}` }),
      ...env,
    },
  })
  if (detects === true) return findDetected(outcome)
  return await findProblem(
    outcome,
    { identity, resource, count: againAfter === undefined ? 1 : 2 },
    stack.keys,
  )
}
