/** A world with distance: two network namespaces, a link with delay and loss, a DNS server, and a simulated Entra ID at the far end. */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { join } from 'node:path'
import { createFolder } from '../fixtures/folder.ts'
import { waitForEnd } from '../fixtures/run-program.ts'
import type { NearOptions, Reply } from './near.ts'

/** Returns why this machine cannot create a world; undefined if it can. */
export function findObstacle(): string | undefined {
  if (process.getuid?.() !== 0) return 'network namespaces and TUN devices need root'
  for (const tool of ['ip', 'python3']) {
    if (spawnSync(tool, ['-V']).status !== 0) return `${tool} is not installed`
  }
  const probe = `wimds-probe-${process.pid}`
  const { status, stderr } = spawnSync('ip', ['netns', 'add', probe])
  if (status !== 0) return `network namespaces cannot be made: ${stderr.toString()}`
  const tun = spawnSync('ip', ['-n', probe, 'tuntap', 'add', 'wan0', 'mode', 'tun'])
  spawnSync('ip', ['netns', 'delete', probe])
  return tun.status === 0 ? undefined : `there is no TUN device: ${tun.stderr.toString()}`
}

/** How the packets of a class of addresses travel: 10.CLASS.x.x and fd00:CLASS::. */
export interface Way {
  /** The second number of the addresses of the class. */
  readonly class: number
  /** Undefined if all packets are dropped. */
  readonly roundTripMs?: number
  /** Every nth packet is lost, where n is this number. */
  readonly loseEvery?: number
}

export interface World extends Disposable {
  /** The settings of a sidecar for this Entra ID, without its login host. */
  readonly env: Readonly<Record<string, string>>
  /** Starts a sidecar at the near end, and requests a token from each of its hosts. */
  readonly request: (options: NearOptions) => Promise<readonly Reply[]>
}

/** Creates the world. Only addresses of these classes have a route. */
export async function createWorld(
  ways: readonly Way[],
  clientIds: readonly string[],
): Promise<World> {
  const id = `${process.pid}-${Math.random().toString(36).slice(2, 6)}`
  const [near, far] = [`wimds-near-${id}`, `wimds-far-${id}`]
  using cleanup = new DisposableStack()
  const folder = cleanup.use(createFolder())
  folder.write('resolv.conf', 'nameserver 127.0.0.1\noptions timeout:5 attempts:2\n')
  folder.write('nsswitch.conf', 'hosts: files dns\n')
  for (const name of [near, far]) {
    ip('netns', 'add', name)
    cleanup.defer(() => {
      spawnSync('sh', ['-c', `ip netns pids ${name} | xargs -r kill -9`])
      ip('netns', 'delete', name)
    })
  }
  const links = ways.flatMap(({ class: number, roundTripMs, loseEvery = 0 }) =>
    roundTripMs === undefined ? [] : [`${number}:${roundTripMs / 2}:${loseEvery}`],
  )
  await readFirstLine(start('python3', findScript('link.py'), near, far, ...links))
  for (const [name, ipv4, ipv6] of [
    [near, '192.168.9.1', 'fd99::1'],
    [far, '192.168.9.2', 'fd99::2'],
  ] as const) {
    ip('-n', name, 'link', 'set', 'lo', 'up')
    ip('-n', name, 'link', 'set', 'wan0', 'addrgenmode', 'none')
    ip('-n', name, 'link', 'set', 'wan0', 'up')
    ip('-n', name, 'address', 'add', `${ipv4}/24`, 'dev', 'wan0')
    ip('-n', name, 'address', 'add', `${ipv6}/64`, 'dev', 'wan0', 'nodad')
  }
  for (const { class: number } of ways) {
    ip('-n', near, 'route', 'add', `10.${number}.0.0/16`, 'dev', 'wan0')
    ip('-n', near, 'route', 'add', `fd00:${number.toString(16)}::/32`, 'dev', 'wan0')
  }
  // The far end has all addresses.
  ip('-n', far, 'route', 'add', 'local', '10.0.0.0/8', 'dev', 'lo')
  ip('-n', far, 'route', 'add', 'local', 'fd00::/16', 'dev', 'lo')

  const server = start(
    'ip',
    ...inNamespace(far),
    process.execPath,
    findScript('far.ts'),
    folder.file('simulator'),
    ...clientIds,
  )
  const env: Record<string, string> = JSON.parse(await readFirstLine(server))
  // `ip netns exec` has a mount namespace of its own.
  const resolver = ['resolv.conf', 'nsswitch.conf']
    .map((name) => `mount --bind ${folder.file(name)} /etc/${name} && `)
    .join('')
  const owned = cleanup.move()
  return {
    env,
    request: async (options) => {
      const run = [`${resolver}exec "$@"`, 'sh', process.execPath, findScript('near.ts')]
      const child = start('ip', ...inNamespace(near), 'sh', '-c', ...run, JSON.stringify(options))
      const { stdout, stderr } = await waitForEnd(child)
      if (stdout === '') throw new Error(`the near end failed: ${stderr}`)
      return JSON.parse(stdout)
    },
    [Symbol.dispose]: () => owned.dispose(),
  }
}

const start = (command: string, ...args: readonly string[]) =>
  spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] })

const inNamespace = (name: string) => ['netns', 'exec', name]

const findScript = (name: string) => join(import.meta.dirname, name)

function ip(...args: readonly string[]): void {
  execFileSync('ip', args)
}

/** Throws with the errors of the program if it ends before its first line. */
async function readFirstLine(child: ChildProcess): Promise<string> {
  if (child.stdout === null) throw new Error('the program has no pipe for its output')
  const ended = waitForEnd(child).then(({ stderr }) => {
    throw new Error(stderr)
  })
  const lines = createInterface({ input: child.stdout })
  const [line]: string[] = await Promise.race([once(lines, 'line'), ended])
  ended.catch(() => {})
  return line ?? ''
}
