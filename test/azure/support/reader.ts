/** Runs commands of the pages in one shell environment, as a reader would. */
import { spawn } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { findCommands, ROOT } from '../../docs/pages.ts'

export interface Reader {
  /**
   * Runs the block with this mark in the page. Returns its output. Throws an error if a command fails or the signal is
   * aborted.
   */
  readonly run: (page: string, name: string, more?: Replacements) => Promise<string>
  /** Runs other commands in the same environment. */
  readonly shell: (commands: string) => Promise<string>
}

/** Texts of a page, with the text that replaces each. */
export type Replacements = Readonly<Record<string, string>>

/** Creates a shell whose variables are kept in the folder from one block to the next. */
export function createReader(
  folder: string,
  replacements: Replacements,
  signal?: AbortSignal,
): Reader {
  mkdirSync(folder, { recursive: true })
  const variables = join(folder, 'variables.sh')
  async function shell(commands: string): Promise<string> {
    signal?.throwIfAborted()
    const script = [
      'set -euo pipefail',
      `if [ -e '${variables}' ]; then . '${variables}'; fi`,
      `trap 'export -p >"${variables}"' EXIT`,
      `cd '${ROOT}'`,
      commands,
    ]
    const env = { ...process.env, KUBECONFIG: join(folder, 'kubeconfig') }
    const child = spawn('bash', ['-c', script.join('\n')], {
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
      // In a process group of its own the child gets no Ctrl-C. `signal` stops a step; nothing stops the deletion.
      detached: true,
    })
    let errors = ''
    child.stderr.on('data', (chunk: Buffer) => {
      process.stderr.write(chunk)
      errors += chunk.toString()
    })
    const stop = () => {
      try {
        if (child.pid !== undefined) process.kill(-child.pid)
      } catch {
        // The child has just ended. An error here would end the program before the deletion.
      }
    }
    signal?.addEventListener('abort', stop)
    const closed = new Promise<number | null>((resolve, reject) => {
      child.on('error', reject)
      child.on('close', resolve)
    })
    const [code, output] = await Promise.all([closed, text(child.stdout)])
    signal?.removeEventListener('abort', stop)
    signal?.throwIfAborted()
    if (code !== 0) {
      const printed = `${output}${errors}`.trim().slice(-1500)
      throw new Error(`${printed}\nexit code ${code} of:\n${commands.trim()}`)
    }
    return output
  }
  return {
    shell,
    run(page, name, more) {
      process.stderr.write(`── ${page}: ${name}\n`)
      const commands = Object.entries({ ...replacements, ...more }).reduce(
        (changed, [from, to]) => changed.replaceAll(from, to),
        findCommands(page, name),
      )
      return shell(commands)
    },
  }
}

/** Returns what a command prints; empty if it fails. */
export async function print({ shell }: Reader, command: string): Promise<string> {
  return await shell(command).then(
    (output) => output.trim(),
    () => '',
  )
}
