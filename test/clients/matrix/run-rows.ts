/** Runs rows one after the other, inside the sandbox. */
import { runClient } from '../harness/run-client.ts'
import { MODES } from '../harness/modes.ts'
import { setLinkLocal } from '../harness/sandbox.ts'
import { startStack, type Stack } from '../harness/stack.ts'
import { titleOf, type Row } from './client.ts'
import type { Installation, Installations } from './install.ts'
import { startNeighbours } from './neighbours.ts'
import type { RowResult } from './result.ts'

const RESOURCE = 'https://vault.azure.net'

/** Starts world, sidecar and neighbours, and tells each result as it comes. */
export async function runRows(
  rows: readonly Row[],
  installations: Installations,
  onResult: (result: RowResult) => void,
): Promise<readonly RowResult[]> {
  await using neighbours = await startNeighbours(azuriteFor(rows, installations))
  await using stack = await startStack({ listen: ['169.254.169.254:80', '127.0.0.1:50342'] })
  const results: RowResult[] = []
  for (const row of rows) {
    const { env } = neighbours
    const outcome = await outcomeOf(row, { stack, env, installations })
    const result = { language: row.client.language, title: titleOf(row), ...outcome }
    onResult(result)
    results.push(result)
  }
  return results
}

interface RowSurroundings {
  readonly stack: Stack
  /** Where the client's workspace is installed. */
  readonly workspace: string
  readonly env?: Readonly<Record<string, string>>
}

/** Runs one row against a stack. Undefined when the client got the right token, else what went wrong. */
export const runRow = (
  { client, mode }: Row,
  { stack, workspace, env }: RowSurroundings,
): Promise<string | undefined> =>
  runClient(stack, {
    command: client.command(workspace),
    variant: client.variant ?? 'managed',
    resource: client.resource ?? RESOURCE,
    mode,
    env: { ...env, WIMDS_TEST_TENANT_ID: stack.world.tenantId },
  })

interface Surroundings {
  readonly stack: Stack
  readonly env: Readonly<Record<string, string>>
  readonly installations: Installations
}

async function outcomeOf(
  row: Row,
  { stack, env, installations }: Surroundings,
): Promise<Pick<RowResult, 'status' | 'reason'>> {
  const needed = [
    row.client.workspace,
    ...(needsStorage(row.client) ? (['js-pinned'] as const) : []),
  ]
  for (const name of needed) {
    const problem = problemOf(installations[name])
    if (problem !== undefined) return problem
  }
  await setLinkLocal(MODES[row.mode].needsLinkLocal)
  const installation = installations[row.client.workspace]
  const workspace = installation !== undefined && 'path' in installation ? installation.path : ''
  const reason = await runRow(row, { stack, workspace, ...(row.client.needs && { env }) })
  return reason === undefined ? { status: 'passed' } : { status: 'failed', reason }
}

function problemOf(
  installation: Installation | undefined,
): Pick<RowResult, 'status' | 'reason'> | undefined {
  if (installation === undefined) return { status: 'failed', reason: 'it was not installed' }
  if ('missing' in installation) return { status: 'skipped', reason: installation.missing }
  if ('failed' in installation) return { status: 'failed', reason: installation.failed }
  return undefined
}

const needsStorage = ({ needs }: Row['client']): boolean => needs?.includes('blob-storage') ?? false

function azuriteFor(rows: readonly Row[], installations: Installations): string | undefined {
  const installation = installations['js-pinned']
  if (!rows.some(({ client }) => needsStorage(client))) return undefined
  return installation !== undefined && 'path' in installation ? installation.path : undefined
}
