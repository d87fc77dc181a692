/**
 * Runs every client in each of its modes: installs missing packages, starts a sandbox and runs the
 * rows in it. Exits with 1 when a row fails and with 64 for a wrong option.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { findSandboxObstacle, wrapInSandbox } from '../harness/sandbox.ts'
import { type Row, formatTitle } from './client.ts'
import { type Environment, install, type Installation, Installations } from './install.ts'
import { COMPATIBILITY_FILE, formatCompatibility } from './report.ts'
import { type RowResult, formatSummary } from './result.ts'
import { runRows } from './run-rows.ts'
import { parseSelection, type Selection, USAGE } from './selection.ts'
import type { WorkspaceName } from './workspaces.ts'

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
  if (selection.installations !== undefined) {
    const text = await readFile(selection.installations, 'utf8')
    const installations = Installations.parse(JSON.parse(text))
    return finish(selection, await runRows(selection, installations, printResult))
  }
  const obstacle = await findSandboxObstacle()
  if (obstacle !== undefined) {
    const results = selection.rows.map((row) => createSkipped(row, obstacle))
    for (const result of results) printResult(result)
    return finish(selection, results)
  }
  return enterSandbox(argv, await installAll(selection, env))
}

async function installAll({ rows }: Selection, env: Environment): Promise<Installations> {
  const names = new Set<WorkspaceName>(rows.map(({ client }) => client.workspace))
  if (rows.some(({ client }) => client.needs?.includes('blob-storage'))) names.add('js-pinned')
  const installations: Record<string, Installation> = {}
  for (const name of names) {
    process.stderr.write(`installing ${name}\n`)
    installations[name] = await install(name, env)
  }
  return installations
}

/** Runs this program again inside a sandbox. */
async function enterSandbox(
  argv: readonly string[],
  installations: Installations,
): Promise<number> {
  const directory = await mkdtemp(join(tmpdir(), 'wimds-matrix-'))
  try {
    const file = join(directory, 'installations.json')
    await writeFile(file, JSON.stringify(installations))
    const [program, ...args] = wrapInSandbox([
      process.execPath,
      fileURLToPath(import.meta.url),
      '--inside',
      file,
      ...argv,
    ])
    const child = spawn(program, args, {
      // Temporary files of the sandbox are removed here, even when it was killed.
      env: { ...process.env, TMPDIR: directory },
      stdio: ['ignore', 'inherit', 'inherit'],
    })
    const end = (): boolean => child.kill('SIGKILL')
    process.once('SIGINT', end).once('SIGTERM', end)
    await once(child, 'close')
    return child.exitCode ?? 1
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
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
