/** Starts the process of a broker without the rights of the agent. */
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync, realpathSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { Settings } from '../../broker/config/settings.ts'
import { type RunOptions, runTool } from '../../redirect/run-tool.ts'
import { findApiAccess } from '../../kubernetes/credentials.ts'
import { API_ACCESS_DIRECTORY } from '../../kubernetes/pod.ts'
import type { NodeAgentOptions } from './agent-options.ts'
import { HELPER } from './helper.ts'
import { ignoreEnded } from './sandboxes.ts'
import { createDirectory } from './saved-pods.ts'

/** The heap limit of a broker, which is below the memory limit of its cgroup. */
const MAX_HEAP_MIB = 96

/** The variables that a broker gets from the agent besides the settings of wimds. Node and the C library read them. */
const RUNTIME_VARIABLES: ReadonlySet<string> = new Set([
  'PATH',
  'TZ',
  'MALLOC_ARENA_MAX',
  'MALLOC_TRIM_THRESHOLD_',
  'MALLOC_MMAP_THRESHOLD_',
  'NODE_ENV',
  'NODE_OPTIONS',
  'NODE_EXTRA_CA_CERTS',
  'NODE_USE_SYSTEM_CA',
  'SSL_CERT_FILE',
  'SSL_CERT_DIR',
  // Tells the broker that it runs in a pod.
  'KUBERNETES_SERVICE_HOST',
])

/** Settings that a broker does not get: the agent connects for it, and the URL of a proxy can have a password. */
const PROXY: ReadonlySet<string> = new Set(['HTTPS_PROXY', 'NO_PROXY'])

/**
 * Moves the agent into a cgroup of its own, so that each broker can have one, too. Throws an error without cgroup v2: then
 * brokers have the limits of a process only.
 */
export function limitBrokers(options: RunOptions): Promise<void> {
  return runTool({ argv: [HELPER, 'make-cgroups'] }, options)
}

/** Returns the variables that a broker reads. Others may be secrets of the agent. */
function selectVariables(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(env).filter(
      ([name]) =>
        (Object.hasOwn(Settings.shape, name) && !PROXY.has(name.toUpperCase())) ||
        RUNTIME_VARIABLES.has(name),
    ),
  )
}

/**
 * Starts a broker with a uid of its own, no capability and Node's permission model. The helper claims the uid by a lock on a
 * file that this process keeps open, so the kernel frees the uid at the latest when this process ends.
 */
export function startBroker(options: NodeAgentOptions, env: NodeJS.ProcessEnv): ChildProcess {
  const { brokerUids, stateDirectory } = options
  const [, script = ''] = process.argv
  const readable = [dirname(script), '/etc/ssl', '/etc/wimds', '/proc/self/fd']
  const argv = [
    process.execPath,
    `--max-old-space-size=${MAX_HEAP_MIB}`,
    '--permission',
    ...readable.map((path) => `--allow-fs-read=${path}`),
    '--disable-sigusr1',
    '--report-exclude-env',
    '--no-experimental-sqlite',
    script,
    'node-broker',
  ]
  const hidden = findMountPoints(options, env)
  createDirectory(stateDirectory)
  const locks = openSync(join(stateDirectory, 'broker-uids'), 'a', 0o600)
  let child: ChildProcess | undefined
  try {
    child = spawn(HELPER, ['run-broker', brokerUids, ...hidden, '--', ...argv], {
      env: selectVariables(env),
      // From descriptor 3 on: Node's channel for sockets, the channel for messages, the file of locks.
      stdio: ['ignore', 'pipe', 'pipe', 'ipc', 'pipe', locks],
    })
    return child
  } finally {
    if (child?.pid === undefined) closeSync(locks)
    else child.once('exit', () => closeSync(locks))
  }
}

/** Returns the mount points that only the agent needs, which the helper hides from brokers. */
function findMountPoints(options: NodeAgentOptions, env: NodeJS.ProcessEnv): string[] {
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8').split('\n')
  const points = new Set(mounts.map((line) => line.split(' ')[4]))
  const directories = [
    '/dev/shm',
    '/dev/termination-log',
    API_ACCESS_DIRECTORY,
    // A test has another directory.
    findApiAccess(env),
    options.kubeletPodsDirectory,
    options.stateDirectory,
    options.cniResultsDirectory,
    options.bundlesDirectory,
    options.netnsDirectory,
  ].flatMap((directory) => ignoreEnded(() => realpathSync(directory)) ?? [])
  return [...new Set(directories)].filter((path) => points.has(path))
}
