/** Prometheus's programs, if the machine has them. */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const PROGRAMS = ['/usr/bin/promtool', '/usr/bin/prometheus']

/** Returns whether they are installed; prints a line if not. */
export function hasPrometheus(): boolean {
  const missing = PROGRAMS.filter((path) => !existsSync(path))
  if (missing.length === 0) return true
  process.stdout.write(
    `skipped: there is no ${missing.join(' and no ')} (Debian's package prometheus)\n`,
  )
  return false
}

/** Creates a temporary directory, which is removed at the end of the test. */
export async function scratch(): Promise<
  { path: string; write: (name: string, text: string) => Promise<string> } & AsyncDisposable
> {
  const path = await mkdtemp(join(tmpdir(), 'wimds-prometheus-'))
  return {
    path,
    write: async (name, text) => {
      await writeFile(join(path, name), text)
      return join(path, name)
    },
    [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true, maxRetries: 3 }),
  }
}

/** Runs promtool; `input` goes to its standard input. */
export function promtool(
  args: readonly string[],
  input = '',
): Promise<{ isOk: boolean; output: string }> {
  return new Promise((resolve) => {
    const child = execFile('/usr/bin/promtool', args, (error, stdout, stderr) => {
      resolve({ isOk: error === null, output: stdout + stderr })
    })
    child.stdin?.end(input)
  })
}
