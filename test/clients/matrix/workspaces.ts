/** The workspaces: pinned packages with the drivers that use them, and how to install them. */
import { fileURLToPath } from 'node:url'
import type { Command } from '../harness/run-process.ts'
import { DOTNET_KIT, type Toolchain } from './toolchains.ts'

export interface Workspace {
  readonly toolchain: Toolchain
  /** Its files and folders in the repository. If they change, the workspace is installed again. */
  readonly sources: readonly string[]
  /** The commands that install it; they run in an empty folder. */
  readonly steps: (target: string) => readonly Command[]
}

/** Returns the path of a file or folder in `drivers/`. */
export const driverPath = (path: string): string =>
  fileURLToPath(new URL(`../drivers/${path}`, import.meta.url))

export const WORKSPACES = {
  /** The repository's own devDependencies. */
  js: { toolchain: 'node', sources: [], steps: () => [] },
  'js-pinned': npm('js/pinned'),
  'python-current': pip('current'),
  'python-legacy': pip('legacy'),
  // The ODBC driver of mssql-python needs a library of the system.
  'python-programs': withDebian(pip('programs'), 'libltdl7'),
  // Without dependencies: they are a gigabyte, and a login does not need them.
  'az-2.45': pip('az-2.45', 'azure-cli==2.45.0'),
  'az-current': pip('az-current', 'azure-cli==2.91.0'),
  'go-current': go('go/current'),
  'go-legacy': go('go/legacy'),
  'go-prometheus': go('go/prometheus'),
  'java-current': maven('java/current'),
  'java-azure-identity-1.2': maven('java/azure-identity-1.2'),
  'java-msi-credentials': maven('java/msi-credentials'),
  'java-abfs': maven('java/abfs'),
  'java-mssql': maven('java/mssql'),
  'java-opentelemetry': maven('java/opentelemetry'),
  rust: cargo('rust'),
  dotnet: {
    toolchain: 'dotnet',
    sources: [driverPath('dotnet')],
    steps: (target) => [[driverPath('dotnet/build.sh'), target, DOTNET_KIT]],
  },
  // A self-contained program of 150 MB in an npm package; no .NET SDK is needed.
  'dotnet-mcp': npm('dotnet-mcp', 'linux-x64'),
  shell: { toolchain: 'shell', sources: [], steps: () => [] },
  rclone: debian('rclone'),
  opa: {
    toolchain: 'go',
    sources: [],
    steps: (target) => [
      ['env', `GOBIN=${target}`, 'go', 'install', 'github.com/open-policy-agent/opa@v1.22.4'],
    ],
  },
} as const satisfies Record<string, Workspace>

export type WorkspaceName = keyof typeof WORKSPACES

const copy = (folder: string): Command => ['cp', '-R', `${driverPath(folder)}/.`, '.']

function npm(folder: string, toolchain: Toolchain = 'node'): Workspace {
  const install = ['npm', 'install', '--ignore-scripts', '--no-package-lock', '--no-audit'] as const
  return {
    toolchain,
    sources: [driverPath(folder)],
    steps: () => [copy(folder), [...install, '--no-fund', '--loglevel=error']],
  }
}

function pip(name: string, ...withoutDependencies: readonly string[]): Workspace {
  const quietly = ['install', '--quiet', '--disable-pip-version-check'] as const
  const requirements = driverPath(`python/requirements/${name}.txt`)
  return {
    toolchain: 'python',
    sources: [requirements],
    steps: (target) => [
      ['python3', '-m', 'venv', target],
      [`${target}/bin/pip`, ...quietly, '--requirement', requirements],
      ...(withoutDependencies.length === 0
        ? []
        : [
            [
              `${target}/bin/pip`,
              ...quietly,
              '--no-deps',
              ...withoutDependencies,
            ] satisfies Command,
          ]),
    ],
  }
}

function go(folder: string): Workspace {
  return {
    toolchain: 'go',
    sources: [driverPath(folder), driverPath('go/driver')],
    steps: (target) => [['go', 'build', '-C', driverPath(folder), '-o', `${target}/`, './cmd/...']],
  }
}

function maven(folder: string): Workspace {
  const dependencies = ['dependency:copy-dependencies', '-DoutputDirectory=lib'] as const
  return {
    toolchain: 'java',
    sources: [driverPath(folder)],
    steps: () => [
      copy(folder),
      ['mvn', '--batch-mode', '--quiet', '-ntp', ...dependencies, '-DincludeScope=runtime'],
      ['javac', '-cp', 'lib/*', '-d', 'classes', 'Driver.java'],
    ],
  }
}

function cargo(folder: string): Workspace {
  return {
    toolchain: 'rust',
    sources: [driverPath(folder)],
    steps: (target) => [
      [
        'cargo',
        'build',
        '--quiet',
        '--locked',
        '--manifest-path',
        driverPath(`${folder}/Cargo.toml`),
        '--target-dir',
        target,
      ],
    ],
  }
}

/** Unpacks a Debian package without installing it. */
function debian(name: string): Workspace {
  return { toolchain: 'debian', sources: [], steps: () => unpackDebian(name) }
}

function withDebian(workspace: Workspace, name: string): Workspace {
  return { ...workspace, steps: (target) => [...workspace.steps(target), ...unpackDebian(name)] }
}

function unpackDebian(name: string): readonly Command[] {
  const download = `apt-get download --quiet ${name}`
  return [
    ['sh', '-c', `${download} || { apt-get update --quiet && ${download}; }`],
    ['sh', '-c', `dpkg-deb --extract ${name}_*.deb .`],
  ]
}
