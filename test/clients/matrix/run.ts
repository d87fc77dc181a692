/**
 * Runs every client in each of its modes: installs missing packages, starts sandboxes and runs the
 * rows in them. Exits with 1 when a row fails and with 64 for a wrong option.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { createSemaphore } from '../../../src/lib/semaphore.ts'
import { findSandboxObstacle, wrapInSandbox } from '../harness/sandbox.ts'
import { type Row, formatTitle } from './client.ts'
import { type Environment, install, type Installation, Installations } from './install.ts'
import { COMPATIBILITY_FILE, formatCompatibility } from './report.ts'
import { formatSummary, RowResult } from './result.ts'
import { runRows } from './run-rows.ts'
import { parseSelection, SANDBOXES, type Selection, USAGE } from './selection.ts'
import type { WorkspaceName } from './workspaces.ts'
import { createFolder } from '../../fixtures/folder.ts'

const MARKS = { passed: 'ok  ', failed: 'FAIL', skipped: 'skip' } as const

process.exitCode = await main(process.argv.slice(2), process.env)

async function main(argv: readonly string[], env: Environment): Promise<number> {
  let selection: Selection
  try {
    selection = parseSelection(argv)
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : ''}\n${USAGE}`)
    return 64
  }
  const { rows, installations, json = '', installsOnly } = selection
  if (installations !== undefined) {
    const installed = Installations.parse(JSON.parse(await readFile(installations, 'utf8')))
    const results = await runRows(selection, installed, printResult)
    await writeFile(json, JSON.stringify(results))
    return 0
  }
  const obstacle = await findSandboxObstacle()
  if (obstacle !== undefined) {
    const results = rows.map((row) => createSkipped(row, obstacle))
    for (const result of results) printResult(result)
    return finish(selection, results)
  }
  const installed = await installAll(rows, env)
  return installsOnly ? 0 : finish(selection, await runInSandboxes(argv, installed))
}

/** Installs the workspaces of the rows, some at a time: they wait for downloads. */
async function installAll(rows: readonly Row[], env: Environment): Promise<Installations> {
  const names = new Set<WorkspaceName>(rows.map(({ client }) => client.workspace))
  if (rows.some(({ client }) => client.needs?.includes('blob-storage'))) names.add('js-pinned')
  const takeTurn = createSemaphore({ maxConcurrent: 3 })
  const entries = [...names].map((name) =>
    takeTurn(async (): Promise<[string, Installation]> => {
      process.stderr.write(`installing ${name}\n`)
      return [name, await install(name, env)]
    }),
  )
  return Object.fromEntries(await Promise.all(entries))
}

/** Runs this program again inside sandboxes. Returns the results, in any order. */
async function runInSandboxes(
  argv: readonly string[],
  installations: Installations,
): Promise<readonly RowResult[]> {
  using directory = createFolder()
  const file = directory.write('installations.json', installations)
  const shards = Array.from({ length: SANDBOXES }, async (_, shard) => {
    const json = directory.file(`${shard}.json`)
    const options = ['--inside', file, '--shard', `${shard}`, '--json', json]
    await enterSandbox([...argv, ...options], directory.path)
    return RowResult.array().parse(JSON.parse(await readFile(json, 'utf8')))
  })
  return (await Promise.all(shards)).flat()
}

/** Runs this program to its end in a sandbox whose temporary files are in the directory. */
async function enterSandbox(args: readonly string[], directory: string): Promise<void> {
  const self = [process.execPath, fileURLToPath(import.meta.url)] as const
  const [program, ...rest] = wrapInSandbox([...self, ...args])
  const child = spawn(program, rest, {
    // The caller removes them, even when the sandbox was killed.
    env: { ...process.env, TMPDIR: directory },
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  const end = (): boolean => child.kill('SIGKILL')
  process.once('SIGINT', end).once('SIGTERM', end)
  await once(child, 'close')
}

async function finish(selection: Selection, results: readonly RowResult[]): Promise<number> {
  if (selection.json !== undefined) await writeFile(selection.json, JSON.stringify(results))
  if (selection.writesDocs) await writeFile(COMPATIBILITY_FILE, formatCompatibility(results))
  process.stdout.write(`${formatSummary(results)}\n`)
  return results.some(({ status }) => status === 'failed') ? 1 : 0
}

function printResult({ language, title, status, reason }: RowResult): void {
  const because = reason === undefined ? '' : `: ${reason}`
  process.stdout.write(`${MARKS[status]} ${language} ${title}${because}\n`)
}

function createSkipped(row: Row, reason: string): RowResult {
  return { language: row.client.language, title: formatTitle(row), status: 'skipped', reason }
}
