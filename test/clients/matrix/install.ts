/** Installs workspaces in a cache folder outside the repository, once for each state of their sources, which clones share. */
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, realpath, rm, stat, symlink } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import { runProcess } from '../harness/run-process.ts'
import { findToolchainObstacle } from './toolchains.ts'
import { driverPath, WORKSPACES, type Workspace, type WorkspaceName } from './workspaces.ts'

const STEP_TIMEOUT_MS = 15 * 60_000

/** The folder of a workspace, or the reason why there is none. */
export const Installation = z.union([
  z.object({ path: z.string() }),
  /** No toolchain on this machine: the clients are skipped. */
  z.object({ missing: z.string() }),
  /** The installation failed: the clients fail. */
  z.object({ failed: z.string() }),
])

export type Installation = Readonly<z.infer<typeof Installation>>

/** Installations by workspace, passed into the sandbox as JSON. */
export const Installations = z.record(z.string(), Installation)

export type Installations = Readonly<Record<string, Installation>>

export type Environment = Readonly<Record<string, string | undefined>>

/** Returns `$CLIENTS_HOME`, by default `wimds-clients` in the user's cache folder. */
function findClientsHome(env: Environment): string {
  const cache = env['XDG_CACHE_HOME'] || join(homedir(), '.cache')
  return env['CLIENTS_HOME'] || join(cache, 'wimds-clients')
}

/** Installs a workspace unless it is installed. */
export async function install(name: WorkspaceName, env: Environment): Promise<Installation> {
  const workspace: Workspace = WORKSPACES[name]
  const missing = await findToolchainObstacle(workspace.toolchain)
  if (missing !== undefined) return { missing }
  const home = findClientsHome(env)
  const complete = join(home, `${name}-${await hashSources(workspace)}`)
  if (existsSync(complete)) return { path: await realpath(complete) }
  await mkdir(home, { recursive: true })
  // Not in the folder of another run, which may install the same now.
  const path = await mkdtemp(`${complete}-`)
  for (const [program, ...args] of workspace.steps(path)) {
    // Low priority: a build must not slow down other processes.
    const { exitCode, stdout, stderr } = await runProcess(['nice', '-n', '10', program, ...args], {
      env: removeUndefined(env),
      cwd: path,
      timeoutMs: STEP_TIMEOUT_MS,
    })
    if (exitCode !== 0) {
      await rm(path, { recursive: true })
      return { failed: `installing ${name}: ${program} failed: ${(stderr || stdout).slice(-1500)}` }
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

const removeUndefined = (env: Environment): Record<string, string> =>
  Object.fromEntries(
    Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined),
  )
