/**
 * The program of a sandbox: `run-rows.ts JSON`, with a `RowsToRun`. Runs the rows one after another, and prints each result as a
 * line of JSON.
 */
import { MODES } from '../harness/modes.ts'
import { setLinkLocal } from '../harness/sandbox.ts'
import { type Server, startStack, type Stack } from '../harness/stack.ts'
import { formatTitle, type Row, type RowResult } from './client.ts'
import { ALL_ROWS } from './clients.ts'
import { startAzureServers } from './azure-servers.ts'
import { isAskedAgain, runRow, SHORT_SECONDS } from './run-row.ts'

export interface RowsToRun {
  /** The indexes of the rows in `ALL_ROWS`. */
  readonly rows: readonly number[]
  /** The folders of the installed workspaces. */
  readonly folders: Readonly<Record<string, string | undefined>>
  /** The server that answers the clients. */
  readonly server: Server
  /** True: every row has a new sidecar, whose first exchange is answered with 503. */
  readonly isCold: boolean
}

const { rows, folders, server, isCold }: RowsToRun = JSON.parse(process.argv[2] ?? '')

/** The additional addresses of a sidecar. A broker needs none: a rule redirects 169.254.169.254:80 to its socket. */
const LISTEN = ['169.254.169.254:80', '127.0.0.1:50342']

await using azure = await startAzureServers(folders['js-pinned'])
await using servers = new AsyncDisposableStack()
/** The stacks that rows share. The key is true if the tokens have a short lifetime. */
const shared = new Map<boolean, Stack>()

for (const row of ALL_ROWS.filter((_, index) => rows.includes(index))) {
  const reason = await (isCold ? runColdRow(row) : runAlone(row, await findShared(row)))
  const result: RowResult = {
    title: formatTitle(row),
    status: reason === undefined ? 'passed' : 'failed',
    reason,
  }
  process.stdout.write(`${JSON.stringify(result)}\n`)
}

/** Starts the stack of a row: with the address of IMDS, or with tokens of a short lifetime and only its own address. */
async function start(row: Row): Promise<Stack> {
  await setLinkLocal(true)
  return await startStack(
    isAskedAgain(row) ? { server, lifetimeSeconds: SHORT_SECONDS } : { server, listen: LISTEN },
  )
}

async function findShared(row: Row): Promise<Stack> {
  const isShort = isAskedAgain(row)
  const stack = shared.get(isShort) ?? servers.use(await start(row))
  shared.set(isShort, stack)
  return stack
}

async function runAlone(row: Row, stack: Stack): Promise<string | undefined> {
  await setLinkLocal(MODES[row.mode].needsLinkLocal)
  return await runRow(row, {
    stack,
    workspace: folders[row.client.workspace] ?? '',
    env: azure.env,
  })
}

/**
 * Runs a row against a new sidecar whose first exchange fails with 503. The best of three runs counts, since
 * some clients allow 1 s for the token, which a busy machine can exceed. If the sidecar did not retry, all
 * three runs of a client that does not retry would fail.
 */
async function runColdRow(row: Row, left = 2): Promise<string | undefined> {
  const problem = await runColdOnce(row)
  return problem === undefined || left === 0 ? problem : await runColdRow(row, left - 1)
}

async function runColdOnce(row: Row): Promise<string | undefined> {
  await using stack = await start(row)
  const { faults } = stack.simulator
  faults.add({ kind: 'unavailable', times: 1 })
  const problem = await runAlone(row, stack)
  // A detector requests no token, so it never meets the fault.
  const isMet =
    row.client.detects === true || faults.list().every(({ kind }) => kind === 'lifetime')
  return isMet ? problem : (problem ?? 'the token was cached before the client requested it')
}
