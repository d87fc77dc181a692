/** Saves the routed pods on the node's disk, for an agent that starts while it cannot reach the API server. */
import { randomUUID } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describeFileError, errorCode } from '../../lib/describe-error.ts'
import { formatProblem } from '../../lib/errors.ts'
import { parseJson } from '../../lib/json.ts'
import { RoutedPod } from './routed-pod.ts'
import { ignoreEnded } from './sandboxes.ts'

/**
 * Each pod has a file, named by its UID, until the pod has ended. A saved pod may have ended since, so the reader has to find
 * its sandbox. An agent and its successor use the same files.
 */
export class SavedPods {
  readonly #directory: string

  constructor(directory: string) {
    this.#directory = directory
  }

  /** Returns the pods of all files that an agent has written. */
  read(): RoutedPod[] {
    const entries = ignoreEnded(() => readdirSync(this.#directory, { withFileTypes: true })) ?? []
    return entries.flatMap((entry) => {
      const uid = entry.isFile() && /^(.+)\.json$/.exec(entry.name)?.[1]
      return uid ? (this.find(uid) ?? []) : []
    })
  }

  /** Returns the pod; undefined if no agent has written it. */
  find(uid: string): RoutedPod | undefined {
    const text = ignoreEnded(() => readFileSync(this.#path(uid), 'utf8')) ?? ''
    return RoutedPod.safeParse(parseJson(text)).data
  }

  /** Writes a complete file or none. Throws an error with path, reason and fix if the directory cannot be created. */
  write(pod: RoutedPod): void {
    const path = this.#path(pod.uid)
    createDirectory(this.#directory)
    // In containers the agents of a node have the same process identifier.
    const temporary = `${path}.${randomUUID()}`
    writeFileSync(temporary, JSON.stringify(pod), { mode: 0o600 })
    renameSync(temporary, path)
  }

  remove(uid: string): void {
    rmSync(this.#path(uid), { force: true })
  }

  #path(uid: string): string {
    return join(this.#directory, `${uid}.json`)
  }
}

/**
 * Creates the directory, if it does not exist. Throws an error with path, reason and fix. It creates no parents: Node's
 * `recursive` never returns in /proc, where mkdir fails with ENOENT.
 */
export function createDirectory(path: string): void {
  try {
    mkdirSync(path, { mode: 0o700 })
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return
    const { problem } = describeFileError(path, error, 'create')
    throw new Error(formatProblem({ problem, fix: 'mount it' }), { cause: error })
  }
}
