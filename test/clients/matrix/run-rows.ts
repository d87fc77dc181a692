/** Runs rows one after another, inside the sandbox. */
import { runClient } from '../harness/run-client.ts'
import { MODES } from '../harness/modes.ts'
import { setLinkLocal } from '../harness/sandbox.ts'
import { type Server, startStack, type Stack, type StackOptions } from '../harness/stack.ts'
import { formatTitle, type Row } from './client.ts'
import type { Installation, Installations } from './install.ts'
import { startAzureServers } from './azure-servers.ts'
import type { RowResult } from './result.ts'
import type { Selection } from './selection.ts'

const RESOURCE = 'https://vault.azure.net'

/** Of a sidecar. The broker has one socket, to which 169.254.169.254:80 is redirected. */
const LISTEN = ['169.254.169.254:80', '127.0.0.1:50342']

/** How long tokens are valid for a driver that asks again after the end of the first one. SqlClient takes no such token. */
const SHORT_SECONDS = 5

const isAskedAgain = ({ client, mode }: Row): boolean =>
  mode === 'injected-env' && client.asksAgain === true

/** Returns what a row needs: a sidecar with the address of IMDS, or one with short tokens, at its own address only. */
const stackOptions = (server: Server, row: Row): StackOptions =>
  isAskedAgain(row) ? { server, lifetimeSeconds: SHORT_SECONDS } : { server, listen: LISTEN }

/** Starts all servers, runs the rows and reports each result at once. */
export async function runRows(
  { rows, server, coldStart }: Pick<Selection, 'rows' | 'server' | 'coldStart'>,
  installations: Installations,
  onResult: (result: RowResult) => void,
): Promise<readonly RowResult[]> {
  await using azure = await startAzureServers(findAzurite(rows, installations))
  await using servers = new AsyncDisposableStack()
  const shared = new Map<boolean, Stack>()
  const results: RowResult[] = []
  for (const row of rows) {
    const context = { env: azure.env, installations }
    const options = stackOptions(server, row)
    const isShort = isAskedAgain(row)
    if (!coldStart && !shared.has(isShort)) {
      await setLinkLocal(true)
      shared.set(isShort, servers.use(await startStack(options)))
    }
    const stack = shared.get(isShort)
    const outcome = stack
      ? await runInstalled(row, { stack, ...context })
      : await runColdStart(row, { server, ...context })
    const result = { language: row.client.language, title: formatTitle(row), ...outcome }
    onResult(result)
    results.push(result)
  }
  return results
}

interface RowContext {
  readonly stack: Stack
  /** Folder of the client's workspace. */
  readonly workspace: string
  readonly env?: Readonly<Record<string, string>>
}

/** Runs one row. Returns undefined when the client got the right token, otherwise the problem. */
export const runRow = (
  row: Row,
  { stack, workspace, env }: RowContext,
): Promise<string | undefined> =>
  runClient(stack, {
    command: row.client.command(workspace),
    variant: row.client.variant ?? 'managed',
    resource: row.client.resource ?? RESOURCE,
    mode: row.mode,
    detects: row.client.detects ?? false,
    againAfter: isAskedAgain(row) ? SHORT_SECONDS + 1 : undefined,
    env: { ...env, WIMDS_TEST_TENANT_ID: stack.simulator.tenantId },
  })

interface RunContext {
  readonly stack: Stack
  readonly env: Readonly<Record<string, string>>
  readonly installations: Installations
}

type ColdStartContext = Omit<RunContext, 'stack'> & Pick<Selection, 'server'>

type Outcome = Pick<RowResult, 'status' | 'reason'>

/**
 * Runs a row against a new sidecar whose first exchange fails with 503. Without a retry in the sidecar,
 * every run of a client that does not retry fails, so the best of three runs counts: some clients allow
 * 1 s for the token, which a busy machine can exceed.
 */
async function runColdStart(row: Row, context: ColdStartContext): Promise<Outcome> {
  let outcome = await runColdStartOnce(row, context)
  for (let runs = 1; outcome.status === 'failed' && runs < 3; runs += 1) {
    outcome = await runColdStartOnce(row, context)
  }
  return outcome
}

async function runColdStartOnce(
  row: Row,
  { server, ...context }: ColdStartContext,
): Promise<Outcome> {
  await setLinkLocal(true)
  await using stack = await startStack(stackOptions(server, row))
  const { faults } = stack.simulator
  faults.add({ kind: 'unavailable', times: 1 })
  const outcome = await runInstalled(row, { stack, ...context })
  // A detector requests no token.
  const isMet =
    row.client.detects === true || faults.list().every(({ kind }) => kind === 'lifetime')
  if (outcome.status !== 'passed' || isMet) return outcome
  return { status: 'failed', reason: 'the token was cached before the client requested it' }
}

async function runInstalled(row: Row, { stack, env, installations }: RunContext): Promise<Outcome> {
  const needed = [
    row.client.workspace,
    ...(requiresStorage(row.client) ? (['js-pinned'] as const) : []),
  ]
  for (const name of needed) {
    const problem = findInstallProblem(installations[name])
    if (problem !== undefined) return problem
  }
  await setLinkLocal(MODES[row.mode].needsLinkLocal)
  const installation = installations[row.client.workspace]
  const workspace = installation !== undefined && 'path' in installation ? installation.path : ''
  const reason = await runRow(row, { stack, workspace, ...(row.client.needs && { env }) })
  return reason === undefined ? { status: 'passed' } : { status: 'failed', reason }
}

function findInstallProblem(installation: Installation | undefined): Outcome | undefined {
  if (installation === undefined) return { status: 'failed', reason: 'not installed' }
  if ('missing' in installation) return { status: 'skipped', reason: installation.missing }
  if ('failed' in installation) return { status: 'failed', reason: installation.failed }
  return undefined
}

const requiresStorage = ({ needs }: Row['client']): boolean =>
  needs?.includes('blob-storage') ?? false

function findAzurite(rows: readonly Row[], installations: Installations): string | undefined {
  const installation = installations['js-pinned']
  if (!rows.some(({ client }) => requiresStorage(client))) return undefined
  return installation !== undefined && 'path' in installation ? installation.path : undefined
}
