/** A network of our own, in which 169.254.169.254:80 is ours to listen on. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { runProcess, type Command } from './run-process.ts'

/**
 * Namespaces for network, mounts and processes; they end, with every process and file system in
 * them, when the first process in them does, and that one ends with its parent. Who is not root
 * becomes root in a user namespace, where that is allowed.
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

/** Why there can be no sandbox here; undefined when there can. */
export async function sandboxObstacle(): Promise<string | undefined> {
  if (process.platform !== 'linux') return 'network namespaces need Linux'
  const { exitCode, stderr } = await runProcess([...UNSHARE, 'sh', '-c', SET_UP], {
    env: pathOnly(),
    timeoutMs: 10_000,
  })
  if (exitCode === 0) return undefined
  return `no network namespace (it takes util-linux, iproute2 and root): ${stderr.trim()}`
}

/** The command that runs another inside a new sandbox. */
export const inSandbox = (command: Command): Command => [
  ...UNSHARE,
  'sh',
  '-c',
  `${SET_UP} && exec "$@"`,
  'sh',
  ...command,
]

/** Inside the sandbox: makes names resolve to addresses there, for every process in it. */
export async function overrideHosts(
  directory: string,
  hosts: Readonly<Record<string, string>>,
): Promise<void> {
  const file = join(directory, 'hosts')
  const lines = Object.entries({ localhost: '127.0.0.1', ...hosts })
  await writeFile(file, lines.map(([name, address]) => `${address} ${name}\n`).join(''))
  await mustRun(['mount', '--bind', file, '/etc/hosts'])
}

/**
 * Inside the sandbox: takes the link-local address away, or gives it back. Without it, a client that
 * does not heed the variables it was given cannot pass by asking IMDS after all. Listeners stay.
 */
export async function setLinkLocal(isThere: boolean): Promise<void> {
  const { stdout } = await runProcess(['ip', 'address', 'show', 'dev', 'lo'], {
    env: pathOnly(),
    timeoutMs: 10_000,
  })
  if (stdout.includes(LINK_LOCAL) === isThere) return
  await mustRun(['ip', 'address', isThere ? 'add' : 'del', LINK_LOCAL, 'dev', 'lo'])
}

async function mustRun(command: Command): Promise<void> {
  const { exitCode, stderr } = await runProcess(command, { env: pathOnly(), timeoutMs: 10_000 })
  if (exitCode !== 0) throw new Error(`${command.join(' ')} failed in the sandbox: ${stderr}`)
}

/** The PATH alone: what the tools that are called here need. */
export const pathOnly = (): Record<string, string> => ({ PATH: process.env['PATH'] ?? '' })
