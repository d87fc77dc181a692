/**
 * Runs every client in each of its modes: installs missing packages, starts sandboxes and runs the rows in them. Exits with 1 when a
 * row fails.
 *
 *   node test/clients/matrix/run.ts
 *     --only TEXT      runs the rows whose title contains it, such as Python, azidentity, 1.5.0 or ": cloud-shell"; may be repeated
 *     --broker         runs them against the broker of mode node in place of a sidecar, only by the metadata address
 *     --cold-start     starts a new sidecar for each row; Entra ID answers its first exchange with 503
 *     --install-only   installs the packages that the rows need
 *     --write-docs     writes docs/compatibility.md if all rows have passed
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import { createSemaphore } from '../../../src/lib/semaphore.ts'
import type { ModeName } from '../harness/modes.ts'
import { findSandboxObstacle, wrapInSandbox } from '../harness/sandbox.ts'
import { formatTitle, IMDS_MODES, type RowResult, workspacesOf } from './client.ts'
import { ALL_ROWS } from './clients.ts'
import { install, type Installation } from './install.ts'
import { COMPATIBILITY_FILE, formatCompatibility } from './report.ts'
import type { RowsToRun } from './run-rows.ts'
import { createFolder } from '../../fixtures/folder.ts'

/** Sandboxes that run at the same time: most clients use one core. Each takes its share of the rows. */
const SANDBOXES = 2
/** The modes in which a client finds the broker: injection sets no variable in mode node. */
const BROKER_MODES = new Set<ModeName>(IMDS_MODES)
const MARKS = { passed: 'ok  ', failed: 'FAIL', skipped: 'skip' } as const

const { values: options } = parseArgs({
  options: {
    only: { type: 'string', multiple: true, default: [''] },
    broker: { type: 'boolean', default: false },
    'cold-start': { type: 'boolean', default: false },
    'install-only': { type: 'boolean', default: false },
    'write-docs': { type: 'boolean', default: false },
  },
})
const rows = ALL_ROWS.filter((row) => {
  const title = formatTitle(row).toLowerCase()
  return (
    (!options.broker || BROKER_MODES.has(row.mode)) &&
    options.only.some((text) => title.includes(text.toLowerCase()))
  )
})
const results: RowResult[] = []

const obstacle = await findSandboxObstacle()
const installed = obstacle === undefined ? await installAll() : new Map<string, Installation>()
if (!options['install-only']) await runAll()

/** Installs the workspaces of the rows, several at the same time, since an installation mostly waits for downloads. */
async function installAll(): Promise<ReadonlyMap<string, Installation>> {
  const names = new Set(rows.flatMap(({ client }) => workspacesOf(client)))
  const takeTurn = createSemaphore({ maxConcurrent: 3 })
  const entries = [...names].map((name) =>
    takeTurn(async (): Promise<[string, Installation]> => {
      process.stderr.write(`installing ${name}\n`)
      return [name, await install(name)]
    }),
  )
  return new Map(await Promise.all(entries))
}

/** Runs the rows whose workspaces are installed, in sandboxes, each of which takes its share. */
async function runAll(): Promise<void> {
  const ready: number[] = []
  for (const row of rows) {
    const [problem] = workspacesOf(row.client).flatMap((name) => installed.get(name)?.problem ?? [])
    const title = formatTitle(row)
    if (obstacle !== undefined) report({ title, status: 'skipped', reason: obstacle })
    else if (problem !== undefined) report({ title, ...problem })
    else ready.push(ALL_ROWS.indexOf(row))
  }
  using directory = createFolder()
  const shards = Array.from({ length: SANDBOXES }, (_, shard) =>
    runInSandbox(
      {
        rows: ready.filter((__, index) => index % SANDBOXES === shard),
        folders: Object.fromEntries([...installed].map(([name, { path }]) => [name, path])),
        server: options.broker ? 'broker' : 'sidecar',
        isCold: options['cold-start'],
      },
      directory.path,
    ),
  )
  await Promise.all(shards)
  await finish()
}

/** Runs rows in a sandbox whose temporary files are in the directory. Throws if the sandbox ends too early. */
async function runInSandbox(part: RowsToRun, directory: string): Promise<void> {
  if (part.rows.length === 0) return
  const [program, ...args] = wrapInSandbox([
    process.execPath,
    join(import.meta.dirname, 'run-rows.ts'),
    JSON.stringify(part),
  ])
  const child = spawn(program, args, {
    // The caller removes the temporary files, even if the sandbox was killed.
    env: { ...process.env, TMPDIR: directory },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const end = (): boolean => child.kill('SIGKILL')
  process.once('SIGINT', end).once('SIGTERM', end)
  createInterface(child.stdout).on('line', (line) => report(JSON.parse(line)))
  const [code] = await once(child, 'close')
  if (code !== 0) throw new Error('a sandbox ended before its rows')
}

function report(result: RowResult): void {
  results.push(result)
  const because = result.reason === undefined ? '' : `: ${result.reason}`
  process.stdout.write(`${MARKS[result.status]} ${result.title}${because}\n`)
}

function count(wanted: RowResult['status']): number {
  return results.filter(({ status }) => status === wanted).length
}

async function finish(): Promise<void> {
  process.stdout.write(
    `${count('passed')} passed, ${count('failed')} failed, ${count('skipped')} skipped\n`,
  )
  const isWhole = count('passed') === ALL_ROWS.length
  if (options['write-docs'] && isWhole) await writeFile(COMPATIBILITY_FILE, formatCompatibility())
  const isRefused = options['write-docs'] && !isWhole
  if (isRefused) process.stderr.write('docs/compatibility.md is as before: not all rows passed\n')
  process.exitCode = isRefused || count('failed') > 0 ? 1 : 0
}
