/** The toolchains that clients are built with, and the commands that detect them. */
import { homedir } from 'node:os'
import { fileURLToPath } from 'node:url'
import { pathOnly } from '../harness/sandbox.ts'
import { runProcess, type Command } from '../harness/run-process.ts'

/** A folder with a .NET SDK and libraries, for machines without NuGet. */
export const DOTNET_KIT =
  process.env['DOTNET_KIT'] ?? fileURLToPath(new URL('../../../../shared/dotnet', import.meta.url))

const PROBES = {
  node: [['npm', '--version']],
  /** For npm packages that contain a program of this platform. */
  'linux-x64': [
    ['npm', '--version'],
    ['sh', '-c', 'test "$(uname -sm)" = "Linux x86_64"'],
  ],
  python: [['python3', '-c', 'import venv, ensurepip']],
  go: [['go', 'version']],
  java: [
    ['mvn', '--version'],
    ['javac', '--version'],
  ],
  rust: [['cargo', '--version']],
  dotnet: [['sh', '-c', `command -v dotnet || test -e '${DOTNET_KIT}/sdk.tar.xz'`]],
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
    // rustup finds its toolchain through one of these.
    const { RUSTUP_HOME } = process.env
    const env = { ...pathOnly(), HOME: homedir(), ...(RUSTUP_HOME && { RUSTUP_HOME }) }
    const { exitCode } = await runProcess(command, { env })
    if (exitCode !== 0)
      return `no ${toolchain} toolchain on this machine: ${command.join(' ')} failed`
  }
  return undefined
}
