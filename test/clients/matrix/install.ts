/** Installs workspaces in a cache folder that all clones share, once for each state of their sources. */
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, realpath, rm, stat, symlink } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { runProcess } from '../harness/run-process.ts'
import type { RowResult } from './client.ts'
import { findToolchainObstacle } from './toolchains.ts'
import { driverPath, WORKSPACES, type Workspace, type WorkspaceName } from './workspaces.ts'

const STEP_TIMEOUT_MS = 15 * 60_000

export interface Installation {
  /** The folder of the workspace. */
  readonly path?: string
  /** The status of all rows of a workspace without a folder: skipped without the toolchain, failed if a step failed. */
  readonly problem?: Pick<RowResult, 'status' | 'reason'>
}

/** Installs a workspace unless it is installed, below $XDG_CACHE_HOME or ~/.cache. */
export async function install(name: WorkspaceName): Promise<Installation> {
  const workspace: Workspace = WORKSPACES[name]
  const missing = await findToolchainObstacle(workspace.toolchain)
  if (missing !== undefined) return { problem: { status: 'skipped', reason: missing } }
  const home = join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'wimds-clients')
  const complete = join(home, `${name}-${await hashSources(workspace)}`)
  if (existsSync(complete)) return { path: await realpath(complete) }
  await mkdir(home, { recursive: true })
  // Another run may be installing the same workspace, so each has a folder of its own.
  const path = await mkdtemp(`${complete}-`)
  for (const [program, ...args] of workspace.steps(path)) {
    // Low priority: a build must not slow down other processes.
    const { exitCode, stdout, stderr } = await runProcess(['nice', '-n', '10', program, ...args], {
      env: process.env,
      cwd: path,
      timeoutMs: STEP_TIMEOUT_MS,
    })
    if (exitCode !== 0) {
      await rm(path, { recursive: true })
      const reason = `installing ${name}: ${program} failed: ${(stderr || stdout).slice(-1500)}`
      return { problem: { status: 'failed', reason } }
    }
  }
  // Fails if another run was faster.
  await symlink(path, complete).catch(() => {})
  return { path }
}

async function hashSources({ sources, steps }: Workspace): Promise<string> {
  const commands = JSON.stringify(steps('')).replaceAll(driverPath(''), '')
  const hash = createHash('sha256').update(commands)
  for (const source of sources) await updateHash(hash, source)
  return hash.digest('hex').slice(0, 12)
}

async function updateHash(hash: ReturnType<typeof createHash>, path: string): Promise<void> {
  if (!(await stat(path)).isDirectory()) {
    hash.update(await readFile(path))
    return
  }
  for (const name of (await readdir(path)).toSorted()) {
    hash.update(name)
    await updateHash(hash, join(path, name))
  }
}
