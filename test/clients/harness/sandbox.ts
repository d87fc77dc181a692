/** A sandbox with its own network namespace, in which 169.254.169.254:80 can be bound. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { runProcess, type Command } from './run-process.ts'

/**
 * Namespaces for network, mounts and processes. They end when their first process ends, which ends
 * with its parent. A user other than root becomes root in a user namespace, where that is allowed.
 */
const UNSHARE = [
  'setpriv',
  '--pdeathsig',
  'KILL',
  'unshare',
  ...(process.getuid?.() === 0 ? [] : ['--map-root-user']),
  '--net',
  '--mount',
  '--pid',
  '--fork',
  '--kill-child',
  '--mount-proc',
  '--',
] as const

const LINK_LOCAL = '169.254.169.254/32'
const SET_UP = `ip link set lo up && ip address add ${LINK_LOCAL} dev lo`

/** Returns why no sandbox can be created on this machine; undefined when one can. */
export async function findSandboxObstacle(): Promise<string | undefined> {
  if (process.platform !== 'linux') return 'network namespaces need Linux'
  const { exitCode, stderr } = await runProcess([...UNSHARE, 'sh', '-c', SET_UP], {
    env: pathOnly(),
  })
  if (exitCode === 0) return undefined
  return `no network namespace (it requires util-linux, iproute2 and root): ${stderr.trim()}`
}

/** Returns a command that runs another one in a new sandbox. */
export const wrapInSandbox = (command: Command): Command => [
  ...UNSHARE,
  'sh',
  '-c',
  `${SET_UP} && exec "$@"`,
  'sh',
  ...command,
]

/** Inside the sandbox: sets the addresses of host names for all its processes. */
export async function overrideHosts(
  directory: string,
  hosts: Readonly<Record<string, string>>,
): Promise<void> {
  const file = join(directory, 'hosts')
  const lines = Object.entries({ localhost: '127.0.0.1', ...hosts })
  await writeFile(file, lines.map(([name, address]) => `${address} ${name}\n`).join(''))
  await runOrThrow(['mount', '--bind', file, '/etc/hosts'])
}

/**
 * Inside the sandbox: adds or removes the link-local address. Without the address, a client that
 * ignores the variables of its mode cannot pass by requesting IMDS instead. Listeners stay.
 */
export async function setLinkLocal(isPresent: boolean): Promise<void> {
  const addresses = await runOrThrow(['ip', 'address', 'show', 'dev', 'lo'])
  if (addresses.includes(LINK_LOCAL) === isPresent) return
  await runOrThrow(['ip', 'address', isPresent ? 'add' : 'del', LINK_LOCAL, 'dev', 'lo'])
}

async function runOrThrow(command: Command): Promise<string> {
  const { exitCode, stdout, stderr } = await runProcess(command, { env: pathOnly() })
  if (exitCode !== 0) throw new Error(`${command.join(' ')} failed in the sandbox: ${stderr}`)
  return stdout
}

/** Returns an environment with PATH only. */
export const pathOnly = (): Record<string, string> => ({ PATH: process.env['PATH'] ?? '' })
