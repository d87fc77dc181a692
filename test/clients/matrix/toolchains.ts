/** The toolchains that clients are built with, and the commands that detect them. */
import { homedir } from 'node:os'
import { pathOnly } from '../harness/sandbox.ts'
import { runProcess, type Command } from '../harness/run-process.ts'

const PROBES = {
  node: [['npm', '--version']],
  python: [['python3', '-c', 'import venv, ensurepip']],
  go: [['go', 'version']],
  java: [
    ['mvn', '--version'],
    ['javac', '--version'],
  ],
  rust: [['cargo', '--version']],
  shell: [['curl', '--version']],
  debian: [
    ['apt-get', '--version'],
    ['dpkg-deb', '--version'],
  ],
} as const satisfies Record<string, readonly Command[]>

export type Toolchain = keyof typeof PROBES

/** Returns why the toolchain cannot be used on this machine; undefined when it can. */
export async function findToolchainObstacle(toolchain: Toolchain): Promise<string | undefined> {
  for (const command of PROBES[toolchain]) {
    // rustup finds its toolchain through the home folder.
    const env = { ...pathOnly(), HOME: homedir() }
    const { exitCode } = await runProcess(command, { env, timeoutMs: 30_000 })
    if (exitCode !== 0) return `no ${command[0]} on this machine`
  }
  return undefined
}
