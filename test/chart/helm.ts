/** The versions of Helm that the suite runs: HELMS has their paths, separated by colons; by default the one of the PATH. */
import { execFile, execFileSync } from 'node:child_process'
import { promisify } from 'node:util'

export const CHART = 'charts/wimds'
export const RELEASE = 'wimds'

export interface Helm {
  readonly path: string
  readonly version: string
  /** Runs it, a template with the registry of a release; returns what it prints. Throws with its error output. */
  readonly run: (command: string, ...args: readonly string[]) => Promise<string>
}

const env: Readonly<Record<string, string | undefined>> = process.env
const run = promisify(execFile)

export const HELMS: readonly Helm[] = (env['HELMS'] || 'helm').split(':').map((path) => ({
  path,
  version: readVersion(path),
  run: async (command, ...args) => {
    // A values file, so that each flag of a test takes precedence.
    const registry = command === 'template' ? [`--values=${import.meta.dirname}/registry.yaml`] : []
    const { stdout } = await run(path, [command, ...registry, ...args], {
      maxBuffer: 16 * 1024 * 1024,
    })
    return stdout
  },
}))

/** Returns `v4.3.1`. */
function readVersion(path: string): string {
  try {
    return execFileSync(path, ['version', '--template={{.Version}}'], { encoding: 'utf8' })
  } catch (cause) {
    throw new Error(`no Helm at ${path}. Fix: set HELMS to paths, as \`.ci/run chart\` does`, {
      cause,
    })
  }
}
