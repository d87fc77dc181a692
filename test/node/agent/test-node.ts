/** The directories of a node, an API server with its pods, and `wimds node-agent` as a process there. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import type { ServerResponse } from 'node:http'
import { dirname, join } from 'node:path'
import { ignoreEnded } from '../../../src/node/agent/sandboxes.ts'
import type { Simulator } from '../../../src/tools/simulator/simulator.ts'
import { waitFor } from '../../fixtures/connection.ts'
import { createFolder } from '../../fixtures/folder.ts'
import { answer, type Fault, startApiServer } from '../../fixtures/api-server.ts'
import { BUILT_CLI } from '../../fixtures/run-program.ts'
import type { PodNetwork } from '../../redirect/namespace.ts'
import { compiledHelper } from './helper.ts'
import { cniResult } from './pods.ts'

/** The directories that the runtime, the kubelet and the agent keep on a node. */
export class TestNode implements Disposable {
  readonly #folder = createFolder()
  readonly root = this.#folder.path
  readonly netns = this.#make('var/run/netns')
  readonly results = this.#make('var/lib/cni/results')
  readonly bundles = this.#make('run/containerd/io.containerd.runtime.v2.task/k8s.io')
  readonly state = this.#make('run/wimds')
  readonly pods = this.#make('var/lib/kubelet/pods')
  /** Programs that come before the programs of the machine. */
  readonly bin = this.#make('bin')

  constructor() {
    symlinkSync(compiledHelper(), join(this.bin, 'wimds-node'))
  }

  /** Records the sandbox of a pod, as the container runtime does. */
  keep({ namespacePath }: Pick<PodNetwork, 'namespacePath'>, uid: string, name = uid): void {
    const path = join(this.netns, name)
    rmSync(path, { force: true })
    symlinkSync(namespacePath, path)
    mkdirSync(join(this.pods, uid), { recursive: true })
    writeFileSync(join(this.results, uid), JSON.stringify(cniResult(uid, path)))
  }

  /** Writes the projected token of a pod, as the kubelet does. Returns its path. */
  writeToken(uid: string, token: string): string {
    const path = join(this.pods, uid, 'volumes/kubernetes.io~projected/wimds-token/token')
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, token)
    return path
  }

  /** Lets this command run in the place of each broker that starts while the file exists. Paths have no spaces. */
  replaceBroker(file: string, command: string): void {
    rmSync(join(this.bin, 'wimds-node'))
    const script = `
      [ "$1" = run-broker ] && [ -e ${file} ] || exec ${compiledHelper()} "$@"
      all="$*"
      exec ${compiledHelper()} \${all%% -- *} -- ${command}`
    writeFileSync(join(this.bin, 'wimds-node'), `#!/bin/sh${script}\n`, { mode: 0o755 })
  }

  /** Removes the record of a pod's sandbox. */
  forget(uid: string): void {
    rmSync(join(this.results, uid), { force: true })
  }

  #make(name: string): string {
    const path = this.#folder.file(name)
    mkdirSync(path, { recursive: true })
    return path
  }

  [Symbol.dispose](): void {
    this.#folder[Symbol.dispose]()
  }
}

const LIST = 'GET /api/v1/pods'
const WATCH = 'GET /api/v1/pods?watch'
const ACCOUNT = 'GET /api/v1/namespaces/shop/serviceaccounts/orders'
const EVENTS = 'POST /api/v1/namespaces/shop/events'

/** Starts an API server with these pods, which change during a test, as its faults do. */
export async function startApi(...first: readonly object[]) {
  let pods = first
  let annotations: object = {}
  let isAway = false
  const watches = new Set<ServerResponse>()
  const messages: string[] = []
  const unlessAway =
    (fault: Fault): Fault =>
    (response, count, body) => {
      if (isAway) response.destroy()
      else fault(response, count, body)
    }
  const api = await startApiServer({
    [LIST]: unlessAway((response) =>
      answer(response, 200, { metadata: { resourceVersion: '7' }, items: pods }),
    ),
    [WATCH]: unlessAway((response) => {
      response.writeHead(200).flushHeaders()
      watches.add(response)
      response.once('close', () => watches.delete(response))
    }),
    [ACCOUNT]: (response) => answer(response, 200, { metadata: { annotations } }),
    [EVENTS]: (response, _, body) => {
      const { message }: { message: string } = JSON.parse(body)
      messages.push(message)
      answer(response, 201, {})
    },
  })
  const waitForWatch = () => waitFor(() => watches.size > 0 || undefined)
  return {
    /** The messages of the events. */
    messages,
    lists: () => api.calls(LIST),
    set: (...next: readonly object[]) => (pods = next),
    /** Sets the annotations of the ServiceAccount `orders`. */
    annotate: (next: object) => (annotations = next),
    /** Sends the change to the watches, at least one. */
    send: async (type: string, object: object) => {
      await waitForWatch()
      for (const watch of watches) watch.write(`${JSON.stringify({ type, object })}\n`)
    },
    waitForWatch,
    leave: () => {
      isAway = true
      for (const watch of watches) watch.destroy()
    },
    comeBack: () => (isAway = false),
    [Symbol.asyncDispose]: () => api[Symbol.asyncDispose](),
  }
}

interface AgentOptions {
  readonly env?: Readonly<Record<string, string>>
  /** Entra ID, whose CA is in /etc/ssl for the agent. */
  readonly simulator?: Pick<Simulator, 'caFile' | 'authorityHost'>
  /** The network of the agent, by default the machine's. */
  readonly network?: Pick<PodNetwork, 'namespacePath'>
  /** More flags. */
  readonly flags?: readonly string[]
  /** The program that starts the agent. Its last arguments are the agent's command line. */
  readonly launcher?: readonly string[]
}

/** Gives the command another /etc/ssl, where the broker may read files. New namespaces of pods stay visible. */
const WITH_CERTIFICATES = [
  'unshare',
  '--mount',
  '--propagation=slave',
  'sh',
  '-c',
  'mount --bind "$0" /etc/ssl && exec "$@"',
]

/** Starts the agent of a node. */
export function startAgent(
  node: TestNode,
  { env, simulator, network, flags = [], launcher = [] }: AgentOptions = {},
) {
  const certificates = join(node.root, 'certificates')
  mkdirSync(certificates, { recursive: true })
  if (simulator !== undefined) copyFileSync(simulator.caFile, join(certificates, 'ca.crt'))
  const argv = [
    ...(network === undefined ? [] : ['nsenter', `--net=${network.namespacePath}`, '--']),
    ...(simulator === undefined ? [] : [...WITH_CERTIFICATES, certificates]),
    ...launcher,
    process.execPath,
    BUILT_CLI,
    'node-agent',
    '--node-name=node-1',
    `--host-root=${node.root}`,
    '--admin-listen=127.0.0.1:0',
    ...flags,
  ]
  const [program = '', ...args] = argv
  const child = spawn(program, args, {
    env: {
      ...process.env,
      NODE_EXTRA_CA_CERTS: '',
      ...(simulator !== undefined && {
        AZURE_AUTHORITY_HOST: simulator.authorityHost,
        WIMDS_CA_FILE: '/etc/ssl/ca.crt',
      }),
      ...env,
      PATH: `${node.bin}:${process.env['PATH']}`,
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let out = ''
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()))
  const events = () =>
    out
      .split('\n')
      .slice(0, -1)
      .map((line): Record<string, unknown> => JSON.parse(line))
  const countOf = (name: string) => events().filter(({ event }) => event === name).length
  const logged = (name: string, count = 1) => waitFor(() => countOf(name) >= count || undefined)
  return {
    pid: child.pid ?? 0,
    events,
    countOf,
    /** Waits until so many such events were logged. */
    logged,
    /** Waits for the first broker, which listens after the agent. */
    brokerStarted: () => logged('listening', 2),
    async kill() {
      child.kill('SIGKILL')
      await once(child, 'exit')
    },
    /** Sends SIGTERM; returns the exit code. */
    async stop() {
      child.kill()
      await once(child, 'close')
      return child.exitCode
    },
    async [Symbol.asyncDispose]() {
      if (child.exitCode !== null || child.signalCode !== null) return
      child.kill()
      await once(child, 'exit')
    },
  }
}

/** Reads a page of the agent. */
export async function readAdmin({ events }: ReturnType<typeof startAgent>, path: string) {
  // Brokers have no port.
  const listening = events().find(({ event, port }) => event === 'listening' && port)
  return fetch(`http://127.0.0.1:${String(listening?.['port'])}${path}`)
}

/** Returns the broker processes of the agent at this moment. */
export function findBrokers(agent: number): number[] {
  const children = readFileSync(`/proc/${agent}/task/${agent}/children`, 'utf8').trim().split(' ')
  // The other children are tools, which may end at any moment.
  return children.filter(isBroker).map(Number)
}

const isBroker = (pid: string) =>
  ignoreEnded(() => readFileSync(`/proc/${pid}/cmdline`, 'utf8'))?.includes('node-broker')
