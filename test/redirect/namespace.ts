/** Creates a network namespace like a pod's, and one of a node with an IMDS. */
import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { createFolder } from '../fixtures/folder.ts'

const IP = 'ip'

/** Returns why these tests cannot run here; undefined if they can. */
export function reasonToSkip(): string | undefined {
  if (process.getuid?.() !== 0) return 'network namespaces need root'
  for (const tool of ['nft', 'ip', 'curl', 'setpriv']) {
    if (spawnSync('which', [tool]).status !== 0) return `${tool} is not installed`
  }
  const probe = `wimds-probe-${process.pid}`
  const made = spawnSync(IP, ['netns', 'add', probe])
  if (made.status !== 0) return `network namespaces cannot be made: ${made.stderr.toString()}`
  spawnSync(IP, ['netns', 'delete', probe])
  return undefined
}

export interface PodNetwork extends Disposable {
  /** The file of the pod's namespace. */
  readonly namespacePath: string
  /** A PATH on which `nft` and `ip` act inside the pod's namespace. */
  readonly path: string
  /** Runs a command in the pod's namespace and returns what it prints. */
  readonly exec: (...argv: string[]) => string
  /** Runs a command in the node's namespace, which is the pod's neighbour, and returns what it prints. */
  readonly neighbour: (...argv: string[]) => string
  /** Returns the body that a new connection of `uid` to 169.254.169.254:80 gets. */
  readonly fetchMetadata: (uid?: number) => string
  /**
   * Serves `body` over HTTP in the pod; resolves when it listens to a function that kills the server, rejects
   * when it cannot.
   */
  readonly serve: (host: string, port: number, body: string) => Promise<() => Promise<void>>
  /** Starts a Node script in the pod and resolves with what it printed when it has ended. */
  readonly script: (source: string) => Script
}

interface Script {
  readonly firstLine: Promise<string>
  readonly output: Promise<string>
  readonly kill: (signal?: NodeJS.Signals) => void
}

const execIn =
  (namespace: string) =>
  (...argv: string[]) =>
    execFileSync(IP, ['netns', 'exec', namespace, ...argv]).toString()

const SERVER = (host: string, port: number, body: string) => `
  require('node:http').createServer((request, response) => response.end(${JSON.stringify(body)}))
    .listen(${port}, ${JSON.stringify(host)}, () => console.log('listening'))`

/** Creates the namespaces; the node answers 169.254.169.254:80 with `real imds`. */
export async function podNetwork(address = '10.9.0.2'): Promise<PodNetwork> {
  const id = `${process.pid}-${Math.random().toString(36).slice(2, 6)}`
  const pod = `wimds-pod-${id}`
  const node = `wimds-node-${id}`
  // Removes everything that exists when a step fails.
  using cleanup = new DisposableStack()
  const bin = cleanup.use(createFolder())
  for (const tool of ['nft', 'ip']) {
    const script = `exec ${whereIs('ip')} netns exec ${pod} ${whereIs(tool)} "$@"`
    bin.write(tool, `#!/bin/sh\n${script}\n`, 0o755)
  }

  for (const name of [pod, node]) {
    ip('netns', 'add', name)
    cleanup.defer(() => ip('netns', 'delete', name))
  }
  const children: ChildProcess[] = []
  cleanup.defer(() => children.forEach((child) => child.kill('SIGKILL')))
  ip('link', 'add', 'eth0', 'netns', pod, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', node)
  ip('-n', pod, 'address', 'add', `${address}/24`, 'dev', 'eth0')
  ip('-n', node, 'address', 'add', '10.9.0.1/24', 'dev', 'eth0')
  ip('-n', node, 'address', 'add', '169.254.169.254/32', 'dev', 'eth0')
  for (const name of [pod, node]) {
    ip('-n', name, 'link', 'set', 'lo', 'up')
    // A link-local address would appear some seconds later, after its duplicate address detection, and change the routes.
    ip('-n', name, 'link', 'set', 'eth0', 'addrgenmode', 'none')
    ip('-n', name, 'link', 'set', 'eth0', 'up')
  }
  ip('-n', pod, 'route', 'add', 'default', 'via', '10.9.0.1')

  const start = (namespace: string, source: string): Script => {
    const argv = ['netns', 'exec', namespace, process.execPath, '-e', source]
    const child = spawn(IP, argv, { stdio: ['ignore', 'pipe', 'pipe'] })
    children.push(child)
    let printed = ''
    const { promise: firstLine, resolve, reject } = Promise.withResolvers<string>()
    child.stdout.on('data', (chunk: Buffer) => {
      printed += chunk.toString()
      if (printed.includes('\n')) resolve(printed.split('\n')[0] ?? '')
    })
    child.stderr.on('data', (chunk: Buffer) => (printed += chunk.toString()))
    const output = new Promise<string>((done) => child.on('close', () => done(printed.trim())))
    void output.then((text) => reject(new Error(text)))
    return { firstLine, output, kill: (signal = 'SIGKILL') => child.kill(signal) }
  }
  await start(node, SERVER('169.254.169.254', 80, 'real imds')).firstLine

  const owned = cleanup.move()
  const exec = execIn(pod)
  return {
    namespacePath: `/var/run/netns/${pod}`,
    path: `${bin.path}:/usr/bin:/bin`,
    exec,
    neighbour: execIn(node),
    fetchMetadata: (uid = 0) =>
      exec(
        'setpriv',
        `--reuid=${uid}`,
        '--clear-groups',
        'curl',
        '-s',
        '-m',
        '10',
        'http://169.254.169.254/',
      ),
    serve: async (host, port, body) => {
      const server = start(pod, SERVER(host, port, body))
      await server.firstLine
      return async () => {
        server.kill()
        await server.output
      }
    },
    script: (source) => start(pod, source),
    [Symbol.dispose]: () => owned.dispose(),
  }
}

function ip(...args: string[]): string {
  return execFileSync(IP, args).toString()
}

function whereIs(tool: string): string {
  return execFileSync('which', [tool]).toString().trim()
}
