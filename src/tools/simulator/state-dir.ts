/** The folder of a simulator's files. Two running simulators cannot share a folder. */
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { describeFileError, errorCode } from '../../lib/describe-error.ts'
import { formatProblem } from '../../lib/errors.ts'

/** The file of a sidecar's settings. It exists while the simulator can be used, so that scripts can wait for it. */
export const ENV_FILE = 'env'
const PID_FILE = 'simulator.pid'

/**
 * Creates the folder and locks it. Without `dir` creates a temporary folder. `close` unlocks the folder, or removes the
 * temporary one. Throws an error with path, reason and fix if the folder cannot be created or another process has locked it.
 */
export async function openStateDir(dir: string | undefined) {
  if (dir === undefined) {
    const temporary = await mkdtemp(join(tmpdir(), 'wimds-simulator-'))
    return { path: temporary, close: () => rm(temporary, { recursive: true, force: true }) }
  }
  // The settings need an absolute path: shells in other folders read them.
  const path = resolve(dir)
  await createFolder(path)
  const lock = join(path, PID_FILE)
  const written = await readFile(lock, 'utf8').catch(() => undefined)
  if (written !== undefined) {
    const owner = Number(written)
    if (isRunning(owner)) {
      const problem = `process ${owner} uses ${path}`
      const fix = `choose another folder by --dir, or end that process; if it is no simulator, delete ${lock}`
      throw new Error(formatProblem({ problem, fix }))
    }
    for (const left of [ENV_FILE, PID_FILE]) await rm(join(path, left), { force: true })
  }
  await writeFile(lock, `${process.pid}\n`, { flag: 'wx' }).catch(failToCreate(lock))
  return { path, close: () => rm(lock, { force: true }) }
}

/** Creates a folder with its parents. Node's `recursive` hangs where mkdir fails with ENOENT in a folder, as in /proc. */
async function createFolder(path: string): Promise<void> {
  if (existsSync(path)) return
  await createFolder(dirname(path))
  await mkdir(path).catch(failToCreate(path))
}

/**
 * Returns true if another process with this id runs. After a restart of a container, the file may have this process's own id.
 */
function isRunning(pid: number): boolean {
  if (!(pid > 0) || pid === process.pid) return false
  try {
    return process.kill(pid, 0)
  } catch (error) {
    // EPERM: the process of another user.
    return errorCode(error) === 'EPERM'
  }
}

/** Returns a function that throws an error with the path, the reason and the fix. */
export const failToCreate = (path: string) => (error: unknown) => {
  const { problem } = describeFileError(path, error, 'create')
  const fix = 'choose another folder by --dir'
  throw new Error(formatProblem({ problem, fix }), { cause: error })
}
