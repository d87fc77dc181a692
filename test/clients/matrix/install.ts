/** Installs workspaces in a cache outside the repository, once for each state of their sources. */
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import { runProcess } from '../harness/run-process.ts'
import { toolchainObstacle } from './toolchains.ts'
import { WORKSPACES, type Workspace, type WorkspaceName } from './workspaces.ts'

const STEP_TIMEOUT_MS = 15 * 60_000

/** Where a workspace is, or why it is not. */
export const Installation = z.union([
  z.object({ path: z.string() }),
  /** The toolchain is not on this machine: its clients are skipped. */
  z.object({ missing: z.string() }),
  /** The toolchain is here, and installing failed: its clients fail. */
  z.object({ failed: z.string() }),
])

export type Installation = Readonly<z.infer<typeof Installation>>

/** Installations by the name of the workspace, as they are handed into the sandbox. */
export const Installations = z.record(z.string(), Installation)

export type Installations = Readonly<Record<string, Installation>>

export type Environment = Readonly<Record<string, string | undefined>>

/** `$CLIENTS_HOME`, else `wimds-clients` in the user's cache folder. */
function clientsHome(env: Environment): string {
  const cache = env['XDG_CACHE_HOME'] || join(homedir(), '.cache')
  return env['CLIENTS_HOME'] || join(cache, 'wimds-clients')
}

/** Installs a workspace, or finds it installed. */
export async function install(name: WorkspaceName, env: Environment): Promise<Installation> {
  const workspace: Workspace = WORKSPACES[name]
  const missing = await toolchainObstacle(workspace.toolchain)
  if (missing !== undefined) return { missing }
  const path = join(clientsHome(env), `${name}-${await fingerprint(workspace)}`)
  const complete = join(path, '.complete')
  if (existsSync(complete)) return { path }
  await rm(path, { recursive: true, force: true })
  await mkdir(path, { recursive: true })
  for (const [program, ...args] of workspace.steps(path)) {
    // Building is patient; whatever else runs on the machine goes first.
    const { exitCode, stdout, stderr } = await runProcess(['nice', '-n', '10', program, ...args], {
      env: defined(env),
      cwd: path,
      timeoutMs: STEP_TIMEOUT_MS,
    })
    if (exitCode !== 0) {
      return { failed: `installing ${name}: ${program} failed: ${(stderr || stdout).slice(-1500)}` }
    }
  }
  await writeFile(complete, '')
  return { path }
}

async function fingerprint({ sources, steps }: Workspace): Promise<string> {
  const hash = createHash('sha256').update(JSON.stringify(steps('')))
  for (const source of sources) await addTo(hash, source)
  return hash.digest('hex').slice(0, 12)
}

async function addTo(hash: ReturnType<typeof createHash>, path: string): Promise<void> {
  if (!(await stat(path)).isDirectory()) {
    hash.update(await readFile(path))
    return
  }
  for (const name of (await readdir(path)).toSorted()) {
    hash.update(name)
    await addTo(hash, join(path, name))
  }
}

const defined = (env: Environment): Record<string, string> =>
  Object.fromEntries(
    Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined),
  )
