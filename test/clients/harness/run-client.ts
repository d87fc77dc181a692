/** One client in one mode, in a fresh process with an environment of its own. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MODES, type ModeName } from './modes.ts'
import { runProcess, type Command } from './run-process.ts'
import { pathOnly } from './sandbox.ts'
import type { Stack } from './stack.ts'
import { problemWith } from './token-check.ts'

export interface ClientRun {
  /** The driver, without VARIANT and what follows it. */
  readonly command: Command
  /** Which of a driver's ways to get a token is meant; some have one only. */
  readonly variant: string
  readonly resource: string
  readonly mode: ModeName
  /** Variables beside those of the mode. */
  readonly env?: Readonly<Record<string, string>>
  readonly timeoutMs?: number
}

/** Undefined when the client got the right token, else what went wrong. */
export async function runClient(
  stack: Stack,
  { command, variant, resource, mode, env, timeoutMs = 60_000 }: ClientRun,
): Promise<string | undefined> {
  const { identity, selector, environment } = MODES[mode]
  // A home of its own: clients keep tokens and profiles there.
  const home = await mkdtemp(join(tmpdir(), 'wimds-client-home-'))
  try {
    const outcome = await runProcess([...command, variant, resource, ...selector], {
      env: {
        ...pathOnly(),
        HOME: home,
        LANG: 'C.UTF-8',
        PYTHONDONTWRITEBYTECODE: '1',
        ...environment(stack.endpoints),
        ...env,
      },
      timeoutMs,
    })
    return await problemWith(outcome, { identity, resource }, stack.keys)
  } finally {
    await rm(home, { recursive: true, force: true })
  }
}
