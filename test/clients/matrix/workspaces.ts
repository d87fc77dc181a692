/** Sets of pinned packages with the drivers that use them: what has to be installed, and how. */
import { fileURLToPath } from 'node:url'
import type { Command } from '../harness/run-process.ts'
import type { Toolchain } from './toolchains.ts'

export interface Workspace {
  readonly toolchain: Toolchain
  /** Files and folders of the repository that it is made from; a change of them installs anew. */
  readonly sources: readonly string[]
  /** The commands that make it in an empty folder, where they run. */
  readonly steps: (target: string) => readonly Command[]
}

/** A folder beside this file's parent, such as `drivers/js`. */
export const driver = (path: string): string =>
  fileURLToPath(new URL(`../drivers/${path}`, import.meta.url))

export const WORKSPACES = {
  /** The repository's own devDependencies. */
  js: { toolchain: 'node', sources: [], steps: () => [] },
  'js-pinned': npm('js/pinned'),
  'python-current': pip('current'),
  'python-legacy': pip('legacy'),
  // Without its dependencies: az needs a gigabyte of them, but not to log in.
  'az-2.45': pip('az-2.45', 'azure-cli==2.45.0'),
  'az-current': pip('az-current', 'azure-cli==2.91.0'),
  'go-current': go('go/current'),
  'go-legacy': go('go/legacy'),
  'java-current': maven('java/current'),
  'java-azure-identity-1.2': maven('java/azure-identity-1.2'),
  'java-msi-credentials': maven('java/msi-credentials'),
  'java-abfs': maven('java/abfs'),
  'java-mssql': maven('java/mssql'),
  rust: cargo('rust'),
  dotnet: dotnet('dotnet'),
  shell: { toolchain: 'shell', sources: [], steps: () => [] },
  rclone: debian('rclone'),
} as const satisfies Record<string, Workspace>

export type WorkspaceName = keyof typeof WORKSPACES

const copy = (folder: string): Command => ['cp', '-R', `${driver(folder)}/.`, '.']

function npm(folder: string): Workspace {
  const install = ['npm', 'install', '--ignore-scripts', '--no-package-lock', '--no-audit'] as const
  return {
    toolchain: 'node',
    sources: [driver(folder)],
    steps: () => [copy(folder), [...install, '--no-fund', '--loglevel=error']],
  }
}

function pip(name: string, ...withoutDependencies: readonly string[]): Workspace {
  const quietly = ['install', '--quiet', '--disable-pip-version-check'] as const
  const requirements = driver(`python/requirements/${name}.txt`)
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
    sources: [driver(folder)],
    steps: (target) => [['go', 'build', '-C', driver(folder), '-o', `${target}/`, './cmd/...']],
  }
}

function maven(folder: string): Workspace {
  const dependencies = ['dependency:copy-dependencies', '-DoutputDirectory=lib'] as const
  return {
    toolchain: 'java',
    sources: [driver(folder)],
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
    sources: [driver(folder)],
    steps: (target) => [
      [
        'cargo',
        'build',
        '--quiet',
        '--locked',
        '--manifest-path',
        driver(`${folder}/Cargo.toml`),
        '--target-dir',
        target,
      ],
    ],
  }
}

function dotnet(folder: string): Workspace {
  return {
    toolchain: 'dotnet',
    sources: [driver(folder)],
    steps: () => [copy(folder), ['dotnet', 'build', '--nologo', '--output', 'build']],
  }
}

/** Unpacked, not installed: the machine's own packages stay as they are. */
function debian(name: string): Workspace {
  const download = `apt-get download --quiet ${name}`
  return {
    toolchain: 'debian',
    sources: [],
    steps: () => [
      ['sh', '-c', `${download} || { apt-get update --quiet && ${download}; }`],
      ['sh', '-c', `dpkg-deb --extract ${name}_*.deb .`],
    ],
  }
}
